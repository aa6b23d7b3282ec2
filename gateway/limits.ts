import { assert } from "@shallop/sdk/internal";

/** Every bound of the gateway. `main.ts` lets an operator change those that depend on the place it runs in. */
export interface GatewayLimits {
  /** More headers than this are refused with 431. Envoy's advice for an edge. */
  readonly headerCountMax: number;
  /** Request line and headers together. Node's own default, and Envoy's advice is 60 KiB at most. */
  readonly headerBytesMax: number;
  /** A client that has not sent its headers by then is a slow loris. */
  readonly headerTimeoutMs: number;
  /** How often that is looked at: the timeout is late by at most this. */
  readonly headerCheckMs: number;
  /** A kept-alive connection without a request is closed after this. */
  readonly idleTimeoutMs: number;
  /** A client that sends nothing of a body that it owes for this long gets 408; one that takes nothing of an answer is given up. */
  readonly bodyIdleTimeoutMs: number;
  /** Body of one request. Generous: it is streamed, never held. */
  readonly bodyBytesMax: number;
  /** Connections of clients at once; each costs about 8 KiB, and 15 as a WebSocket. */
  readonly connectionsMax: number;
  /** Of one address that is not loopback, so that one client cannot take all. 0 = no bound: behind a load balancer. */
  readonly connectionsPerAddressMax: number;
  /** Then the connection is closed politely, so that what a connection gathers is freed now and then. */
  readonly requestsPerConnectionMax: number;
  /** HTTP/2: requests of one connection at once. Envoy's advice for an edge, as the next two. */
  readonly streamsMax: number;
  /** HTTP/2: what a client may send of one body ahead of its reader. */
  readonly streamWindowBytes: number;
  /** HTTP/2: the same for all bodies of a connection. */
  readonly connectionWindowBytes: number;
  /** HTTP/2: a connection that resets streams faster is given up (CVE-2023-44487): so many at once, and a second. */
  readonly resetBurst: number;
  readonly resetsPerSecond: number;
  /** At a stop, requests that run have this long. Kubernetes' default grace period. */
  readonly drainTimeoutMs: number;
  /** When another process has taken over, those that run on have this long: as long as a request may take at most. */
  readonly takeoverTimeoutMs: number;
  /** Requests that wait for a pod of one revision. Knative's `breakerQueueDepth`. */
  readonly queueDepthMax: number;
  /** Requests that wait in all; each costs about 4 KiB, so this is 200 MiB. */
  readonly queueTotalMax: number;
  /** One message of a WebSocket that the gateway holds; a larger one ends it with 1009. It is kept whole. */
  readonly webSocketMessageBytesMax: number;
  /** Messages of one WebSocket that wait for their call; then, or with as many bytes as one may have, it is not read. */
  readonly webSocketQueueMax: number;
  /** Of one WebSocket: a client that says more waits for the next second. */
  readonly webSocketMessagesPerSecondMax: number;
  /** What waits for a client that does not read; then it is given up. */
  readonly webSocketBehindBytesMax: number;
  /** How often a silent client is asked whether it is there: more often than NATs and balancers forget connections. */
  readonly webSocketPingMs: number;
  /** Of one service, of one tenant, and of one address that is not loopback (0 = no bound: behind a load balancer). */
  readonly webSocketsPerServiceMax: number;
  readonly webSocketsPerTenantMax: number;
  readonly webSocketsPerAddressMax: number;
  /** No request waits longer than this for a pod, unless its revision says how long (`hold.shallop.dev/wait`): a person has left by then. */
  readonly activationTimeoutMs: number;
}

export const defaultLimits: GatewayLimits = {
  headerCountMax: 100,
  headerBytesMax: 16 * 1024,
  headerTimeoutMs: 10_000,
  headerCheckMs: 1_000,
  idleTimeoutMs: 60_000,
  bodyIdleTimeoutMs: 60_000,
  bodyBytesMax: 1024 ** 3,
  connectionsMax: 10_000,
  connectionsPerAddressMax: 100,
  requestsPerConnectionMax: 1_000,
  streamsMax: 100,
  streamWindowBytes: 64 * 1024,
  connectionWindowBytes: 1024 * 1024,
  resetBurst: 200,
  resetsPerSecond: 33,
  drainTimeoutMs: 30_000,
  takeoverTimeoutMs: 600_000,
  queueDepthMax: 10_000,
  queueTotalMax: 50_000,
  activationTimeoutMs: 60_000,
  webSocketMessageBytesMax: 1024 * 1024,
  webSocketQueueMax: 64,
  webSocketMessagesPerSecondMax: 1_000,
  webSocketBehindBytesMax: 1024 * 1024,
  webSocketPingMs: 25_000,
  webSocketsPerServiceMax: 8_000,
  webSocketsPerTenantMax: 8_000,
  webSocketsPerAddressMax: 1_000,
};

assert(defaultLimits.headerCheckMs <= defaultLimits.headerTimeoutMs / 2);
assert(defaultLimits.connectionsPerAddressMax <= defaultLimits.connectionsMax);
assert(defaultLimits.webSocketsPerTenantMax <= defaultLimits.connectionsMax);
assert(defaultLimits.webSocketPingMs < defaultLimits.idleTimeoutMs);
assert(defaultLimits.queueDepthMax <= defaultLimits.queueTotalMax);
