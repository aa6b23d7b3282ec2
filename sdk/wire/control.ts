import type { Span } from "../internal/telemetry/index.ts";

/**
 * What Shallop's own processes say to the control plane beside the Kubernetes API, over the same HTTPS server:
 *
 *   POST /shallop/v1/load                                     LoadReport → LoadAnswer. From gateways; each second while
 *                                                             there is load, now and then without, and at once when a
 *                                                             request arrives for a revision without a ready pod
 *   POST /shallop/v1/stories                                  { stories: RequestStory[] } → 204. From gateways: requests
 *                                                             that failed
 *   GET  /shallop/v1/rates                                    → { rates: RevisionRate[] }; namespace
 *   POST /shallop/v1/traces                                   { traces: RequestTrace[] } → 204. From gateways
 *   GET  /shallop/v1/traces/{id}                              → { traces: RequestTrace[] }; id of a request or a trace
 *   GET  /shallop/v1/namespaces/{ns}/services/{name}/traces   the same; limit: the newest
 *   GET  /shallop/v1/requests/{id}                            → RequestStory
 *   GET  /shallop/v1/namespaces/{ns}/services/{name}/explain  → Explanation; whatIf: settings of the autoscaler,
 *                                                             `max-scale=20,target=50`, to replay the last hour with
 *   GET  /shallop/v1/namespaces/{ns}/services/{name}/logs     text/plain; follow, tailLines: all pods of a service
 *   POST /shallop/v1/join                                     JoinRequest → JoinGrant, with a join token
 *   GET  /cacerts                                             the cluster's authority, PEM; no token needed
 *   *    /v2/…                                                the built-in registry, for nodes on other machines
 */
export interface LoadReport {
  /** Identity of the reporting gateway process; a new one after each start. */
  readonly gateway: string;
  /** `HOST:PORT` where other gateways reach it; absent: they do not. */
  readonly peerAddress?: string;
  /** It takes no new connections, and is no gateway that others should reckon with. */
  readonly isLeaving?: boolean;
  readonly revisions: readonly RevisionLoad[];
}

/** What a gateway hears of the others. */
export interface LoadAnswer {
  /** All that have reported lately, the asking one among them. */
  readonly gateways: readonly LiveGateway[];
}

export interface LiveGateway {
  readonly name: string;
  readonly peerAddress?: string;
}

export interface RevisionLoad {
  readonly namespace: string;
  readonly revision: string;
  /** Requests in the gateway (waiting and being answered), averaged over time since the last report. */
  readonly averageConcurrency: number;
  /** Requests that arrived since the last report. */
  readonly requestCount: number;
  /** Requests that ended since then with a status of 500 or more, or with none. */
  readonly failureCount?: number;
  /** Requests that ended since then: how many took at most so many milliseconds, and longer than the pair before. */
  readonly latencies?: readonly (readonly [upToMs: number, count: number])[];
  /** Length of the time since the last report, milliseconds. */
  readonly periodMs: number;
  /** Requests that wait for a pod at this moment. */
  readonly waiting: number;
}

/** What goes through all gateways to a revision, over the last ten seconds. Times are rounded up to a bucket. */
export interface RevisionRate {
  readonly namespace: string;
  readonly revision: string;
  readonly requestsPerSecond: number;
  /** With a status of 500 or more, or none. */
  readonly failuresPerSecond: number;
  /** Requests at once, on average. */
  readonly concurrency: number;
  /** For a pod, now. */
  readonly waiting: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface JoinRequest {
  readonly nodeName: string;
  /** PKCS#10, PEM: the agent's key never leaves its machine. */
  readonly certificateRequest: string;
  /** Addresses that the certificate shall name. */
  readonly addresses: readonly string[];
}

export interface JoinGrant {
  /** Bearer token of the user `system:node:NAME`. */
  readonly token: string;
  readonly certificate: string;
  readonly authority: string;
  /** The registry host of the built-in registry in image references; to be fetched under `/v2/` of the API server. */
  readonly builtinRegistry: string;
}

/** Why a service has as many pods as it has. One entry per revision that has traffic or pods. */
export interface Explanation {
  readonly namespace: string;
  readonly service: string;
  readonly revisions: readonly RevisionExplanation[];
}

export interface RevisionExplanation {
  readonly revision: string;
  readonly decisions: readonly ScaleDecision[];
  /** Placement of each pod: the node, and why it and not another. */
  readonly placements: readonly { readonly pod: string; readonly node: string; readonly reason: string }[];
  /** What each home node will run, and why. */
  readonly variants: readonly { readonly node: string; readonly variant: string; readonly reason: string }[];
  /** Why it cannot run at all, such as an image policy; absent: nothing is known that keeps it. */
  readonly refusal?: { readonly reason: string; readonly message: string };
  /** When it was asked for: the recorded load with the settings that the revision has, and with others. */
  readonly whatIf?: WhatIf;
}

export interface WhatIf {
  readonly settings: string;
  readonly before: ScaleReplay;
  readonly after: ScaleReplay;
}

/** What the autoscaler would have done on the load of the last hour. */
export interface ScaleReplay {
  /** Length of the load that was recorded. */
  readonly seconds: number;
  /** Most pods at once. */
  readonly peak: number;
  /** Pods times the seconds that they were there. */
  readonly podSeconds: number;
  /** How often the number of pods changed, and how often a request found none. */
  readonly changes: number;
  readonly startsFromZero: number;
  readonly decisions: readonly ScaleDecision[];
}

/** One decision of the autoscaler with all that it was made from. Decisions that change nothing are folded into one. */
export interface ScaleDecision {
  readonly at: string;
  readonly want: number;
  readonly ready: number;
  /** The numbers that went in: `stableConcurrency`, `panicConcurrency`, `target`, … */
  readonly inputs: Readonly<Record<string, number | string | boolean>>;
  /** The formula that won, with its numbers: `ceil(stable 142 / target 70) = 3`. */
  readonly formula: string;
  /** The bound that changed the result, if one did: `max-scale 2`. */
  readonly bound?: string;
  /** How often the same decision was made since `at`. */
  readonly repeated: number;
}

/** What became of a request that was answered with an error, or not at all. Times in milliseconds, those of attempts since it arrived. */
export interface RequestStory {
  /** As the client was told. */
  readonly id: string;
  /** RFC 3339: when it arrived. */
  readonly at: string;
  /** Of the rule that refused it, where it came to no revision; empty when there was none. */
  readonly namespace: string;
  /** Empty when it came to none. */
  readonly revision: string;
  readonly method: string;
  /** Empty when what came could not be read. */
  readonly host: string;
  /** Without the query, and cut when it is long. */
  readonly path: string;
  readonly client: string;
  /** A code of the gateway's table, the pod's fault, or ANSWERED: the function itself gave this status. */
  readonly code: string;
  readonly status: number;
  /** In a sentence; never shown to the client. */
  readonly reason: string;
  /** How long it waited for its first pod, and how long it took. */
  readonly queueMs: number;
  readonly durationMs: number;
  /** The client had got some of an answer before it failed. */
  readonly answerBegun: boolean;
  readonly attempts: readonly RequestAttempt[];
}

/** A request that was traced. */
export interface RequestTrace {
  readonly traceId: string;
  readonly requestId: string;
  /** Empty when it went to no revision. */
  readonly namespace: string;
  readonly revision: string;
  readonly spans: readonly Span[];
}

/** One pod that it was given to. */
export interface RequestAttempt {
  readonly pod: string;
  readonly node: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** The code with which it ended. */
  readonly outcome: string;
}
