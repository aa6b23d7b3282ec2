import { getHeapStatistics } from "node:v8";
import type { AddressInfo } from "node:net";
import type { Clock, Log, Random } from "@shallop/sdk/internal";
import type { Metrics } from "@shallop/sdk/internal/telemetry";
import type { LoadAnswer, LoadReport, PeerMessage, RequestStory } from "@shallop/sdk/wire";
import { Dispatcher, type NodeAgents } from "./activate/dispatcher.ts";
import type { Distance } from "./balance/near-first.ts";
import { WaitBudget } from "./activate/wait-queue.ts";
import { matchWithPreflight } from "./filter/cors.ts";
import { type Forwarded, Passages, type Passed } from "./filter/passage.ts";
import type { OpenRequest } from "./listen/connections.ts";
import { CertificateStore } from "./listen/certificate-store.ts";
import { HeapGuard } from "./listen/heap-guard.ts";
import { type AcceptedRequest, HttpServer } from "./listen/http-server.ts";
import type { ListenPlace } from "./listen/listen-place.ts";
import type { RefusedRequest } from "./listen/received-request.ts";
import type { GatewayLimits } from "./limits.ts";
import type { AgentTls } from "./proxy/dial.ts";
import { Abandonments } from "./proxy/abandonments.ts";
import { PeerGateways } from "./peer/peer-gateways.ts";
import { refusalStory } from "./proxy/exchange-story.ts";
import { Exchange, type ExchangeContext } from "./proxy/exchange.ts";
import { FaultLog } from "./proxy/fault-log.ts";
import { GatewayFault } from "./proxy/fault-status.ts";
import { KeptBytes } from "./proxy/kept-bytes.ts";
import { RetryBudget } from "./proxy/retry.ts";
import type { ServerTimingMode } from "./proxy/server-timing.ts";
import { wholeServer } from "./proxy/request-target.ts";
import type { TrustedProxies } from "./proxy/trusted-proxies.ts";
import { Upstreams } from "./proxy/upstreams.ts";
import { stickyToken } from "./route/backends.ts";
import { certificateNames, type SecretName } from "./route/certificates.ts";
import { Cluster } from "./route/cluster.ts";
import type { Rule } from "./route/rule.ts";
import { type NodeTarget, revisionKey, unknownRevision, type WatchedPod } from "./route/target.ts";
import { type GatewayNow, observeGateway } from "./stats/gateway-metrics.ts";
import { LoadMeter } from "./stats/load.ts";
import { LoadReporter } from "./stats/reporter.ts";
import { RequestMetrics } from "./stats/request-metrics.ts";
import type { RequestWatcher } from "./stats/request-record.ts";
import { RequestStories } from "./stats/request-stories.ts";
import type { Tracer } from "./stats/tracer.ts";
import { answerDirectly, WaitingRequest } from "./waiting-request.ts";
import { WebSockets } from "./websocket/web-sockets.ts";

export interface GatewayOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: GatewayLimits;
  readonly serverTiming: ServerTimingMode;
  /** What follows the namespace in host names. */
  readonly domain: string;
  /** Identity of this machine. */
  readonly machine: string;
  readonly tls: AgentTls | undefined;
  readonly agents: NodeAgents;
  /** The secret with the certificate of hosts that have none. */
  readonly defaultCertificate?: SecretName | undefined;
  /** In front of the gateway; what they say of their clients is believed. */
  readonly trustedProxies?: TrustedProxies | undefined;
  /** Of HTTPS, as clients know it, where that is another one than the gateway listens on. */
  readonly httpsPublicPort?: number | undefined;
  /** Tells a node's agent of requests of one of its pods whose clients have gone. */
  readonly tellAbandoned: (node: NodeTarget, podUid: string, requestIds: readonly string[]) => void;
  readonly sendReport: (report: LoadReport, signal: AbortSignal) => Promise<LoadAnswer | undefined>;
  /** Hands messages for WebSockets to the gateway at `HOST:PORT`. */
  readonly sendToPeer: (address: string, messages: readonly PeerMessage[], signal: AbortSignal) => Promise<void>;
  /** Undefined: nobody asks for any. */
  readonly metrics?: Metrics | undefined;
  /** Hear of every request, such as an access log. */
  readonly watchers?: readonly RequestWatcher[];
  /** Undefined: requests are not traced, and their `traceparent` goes on as it came. */
  readonly tracer?: Tracer | undefined;
  /** Tells of requests that failed. */
  readonly sendStories: (stories: readonly RequestStory[], signal: AbortSignal) => Promise<void>;
}

/** RFC 8555, 8.3. */
const challengePath = "/.well-known/acme-challenge/";
// What `OPTIONS *` is told; a method of somebody's own is passed on as well.
const methodsTaken = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

const refusedBy = ({ id, peer, authority: host, target, client }: AcceptedRequest, fault: GatewayFault) => ({
  ...{ id, fault, host, target },
  method: peer.method,
  client: client.address,
});

/** A gateway without its sources: whoever makes it feeds `cluster` with what it watches. */
export class Gateway {
  readonly cluster: Cluster;
  readonly #options: GatewayOptions;
  readonly #dispatcherByRevision = new Map<string, Dispatcher>();
  readonly #budget: WaitBudget;
  readonly #meter = new LoadMeter();
  readonly #reporter: LoadReporter;
  readonly #peers: PeerGateways;
  readonly #upstreams: Upstreams;
  readonly #faults: FaultLog;
  readonly #stories: RequestStories;
  readonly #heap: HeapGuard;
  readonly #server: HttpServer;
  readonly #context: ExchangeContext;
  readonly #passages: Passages;
  readonly #certificates: CertificateStore;
  readonly #requestMetrics: RequestMetrics | undefined;
  readonly #webSockets: WebSockets;
  #httpsPort: number | undefined;
  #peerAddress: string | undefined;

  constructor(options: GatewayOptions) {
    const { clock, random, log, limits, machine, tls, serverTiming } = options;
    this.#options = options;
    const { metrics } = options;
    this.#requestMetrics = metrics === undefined ? undefined : new RequestMetrics(metrics);
    if (metrics !== undefined) observeGateway(metrics, () => this.status());
    this.#budget = new WaitBudget(limits.queueTotalMax);
    const meter = this.#meter;
    const name = `gateway-${random.suffix(8)}`;
    const lost = (count: number): void => this.#requestMetrics?.peerMessagesLost(count);
    this.#peers = new PeerGateways({ clock, log, name, send: options.sendToPeer, lost });
    this.#reporter = new LoadReporter({
      clock,
      log,
      meter,
      gateway: name,
      peerAddress: () => this.#peerAddress,
      answered: ({ gateways }) => this.#peers.know(gateways),
      waiting: (key) => this.#dispatcherByRevision.get(key)?.waiting ?? 0,
      send: options.sendReport,
    });
    this.#upstreams = new Upstreams({
      clock,
      machine,
      tls,
      node: (name) => this.cluster.node(name),
      draining: (pod) => {
        for (const dispatcher of this.#dispatcherByRevision.values()) dispatcher.drain(pod.uid);
      },
    });
    this.cluster = this.#makeCluster(options.domain);
    this.#certificates = new CertificateStore(() => certificateNames(this.cluster, options.defaultCertificate), log);
    this.#passages = this.#makePassages();
    this.#stories = new RequestStories({ clock, log, send: options.sendStories });
    this.#faults = new FaultLog(log, clock);
    this.#heap = new HeapGuard(clock, () => {
      const { used_heap_size, heap_size_limit } = getHeapStatistics();
      return used_heap_size / heap_size_limit;
    });
    this.#context = {
      clock,
      limits,
      meter,
      upstreams: this.#upstreams,
      budget: new RetryBudget(),
      kept: new KeptBytes(),
      faults: this.#faults,
      stories: this.#stories,
      abandonments: new Abandonments({
        clock,
        node: (name) => this.cluster.node(name),
        tell: options.tellAbandoned,
      }),
      serverTiming,
      said: (revision, byteCount) => this.#webSockets.said(revision, byteCount),
    };
    this.#server = this.#makeServer();
    this.#webSockets = this.#makeWebSockets();
  }

  #makeServer(): HttpServer {
    const { clock, random, log, limits, watchers = [], tracer, trustedProxies } = this.#options;
    return new HttpServer({
      clock,
      random,
      log,
      limits,
      heap: this.#heap,
      watchers: [this.#requestMetrics, tracer, ...watchers].filter((one) => one !== undefined),
      tracer,
      trusted: trustedProxies,
      certificates: this.#certificates,
      accept: (request, over) => this.#accept(request, over),
      refused: (request) => this.#tellRefused(request, undefined),
    });
  }

  #makeWebSockets(): WebSockets {
    const { clock, random, limits } = this.#options;
    return new WebSockets({
      clock,
      limits,
      uuid: () => random.uuid(),
      exchange: (asked, over) => this.#exchange(asked, over),
      targetOf: (request, target) => this.#targetOf(request, target),
      revision: (key) => this.cluster.revision(key),
      peers: this.#peers,
      complain: (id, revision, reason) => this.#faults.add("ANSWER_INVALID", { id, revision }, reason),
    });
  }

  #makeCluster(domain: string): Cluster {
    return new Cluster(domain, {
      revisionChanged: (target) => this.#dispatcherByRevision.get(target.key)?.update(target),
      revisionGone: (key) => this.#revisionGone(key),
      podChanged: (pod) => {
        const { revision = "" } = pod;
        // A pod without target and requests needs no dispatcher; one that is ready will need it.
        if (pod.ready || this.#dispatcherByRevision.has(revision)) this.#dispatcher(revision).podChanged(pod);
      },
      podGone: (pod) => this.#podGone(pod),
      certificatesChanged: () => {
        this.#certificates.changed();
        this.#server.certificatesChanged();
      },
    });
  }

  listen(place: ListenPlace): Promise<AddressInfo> {
    return this.#server.listen(place);
  }

  /** HTTPS beside it, with the certificates that the cluster names. */
  async listenTls(place: ListenPlace): Promise<AddressInfo> {
    const address = await this.#server.listenTls(place);
    this.#httpsPort = address.port;
    return address;
  }

  /** Other gateways reach it there from now on: `HOST:PORT`. */
  announcePeerAddress(address: string): void {
    this.#peerAddress = address;
    this.#reporter.announce();
  }

  /** Another gateway has something for WebSockets of this one. */
  hearPeer(message: PeerMessage): void {
    this.#webSockets.hear(message);
  }

  /** Stops taking connections, lets what runs finish for at most `drainTimeoutMs` (`takeoverTimeoutMs` when it is `patient`), and lets go of everything. */
  async close(patient = false): Promise<void> {
    this.#reporter.leave();
    await this.#server.close(patient);
    this.#webSockets.close();
    this.#peers.close();
    for (const dispatcher of this.#dispatcherByRevision.values()) dispatcher.close("STOPPING");
    this.#upstreams.close();
    this.#reporter.close();
    this.#faults.close();
    this.#stories.close();
    this.#heap.close();
  }

  /** Requests under way, and those of them that wait for a pod. */
  get load(): { readonly open: number; readonly waiting: number } {
    return { open: this.#server.openRequests - this.#webSockets.size, waiting: this.#budget.used };
  }

  /** For people and for probes. */
  status(): GatewayNow {
    const { complete, router } = this.cluster;
    const revisions = this.#meter.now().map((now) => {
      const dispatcher = this.#dispatcherByRevision.get(revisionKey(now.namespace, now.revision));
      return { ...now, waiting: dispatcher?.waiting ?? 0, pods: dispatcher?.usablePods ?? 0 };
    });
    const { connections } = this.#server;
    return { complete, hosts: router.size, connections, webSockets: this.#webSockets.size, ...this.load, revisions };
  }

  #makePassages(): Passages {
    const { clock, random } = this.#options;
    return new Passages({
      clock,
      random,
      secrets: (namespace, name) => this.cluster.object("secrets", namespace, name),
      backends: this.cluster,
      httpsPort: () => this.#options.httpsPublicPort ?? this.#httpsPort,
      gateways: () => this.#peers.count,
      complete: () => this.cluster.complete,
    });
  }

  #accept(request: AcceptedRequest, over: () => void): OpenRequest {
    const { scheme, host, target, peer, headers } = request;
    if (target === wholeServer) return answerDirectly({ peer, status: 204, headers: ["allow", methodsTaken] }, over);
    if (target.startsWith(challengePath)) {
      const body = this.cluster.challenge(host, target.slice(challengePath.length));
      if (body !== undefined)
        return answerDirectly({ peer, status: 200, headers: ["content-type", "text/plain"], body }, over);
    }
    const { router } = this.cluster;
    const match = matchWithPreflight(router, { scheme, host, target, method: peer.method, headers: headers.headers });
    const tell = (fault: GatewayFault): void => this.#tellRefused(refusedBy(request, fault), match?.rule);
    try {
      if (match === undefined) throw this.#unrouted(host);
      if (headers.isUpgrade) this.#webSockets.announce(request);
      const passed = this.#passages.pass(request, match);
      if (!(passed instanceof Promise)) return this.#proceed(passed, over, request);
      const waiting = new WaitingRequest(request, over, tell);
      passed.then(
        (result) => waiting.proceed(() => this.#proceed(result, over, request)),
        (error: unknown) => waiting.refuseWith(error),
      );
      return waiting;
    } catch (error) {
      if (error instanceof GatewayFault) tell(error);
      throw error;
    }
  }

  #tellRefused({ fault, ...asked }: RefusedRequest, rule: Rule | undefined): void {
    const { clock } = this.#options;
    const of = { ...asked, namespace: rule?.namespace ?? "", revision: "" };
    this.#stories.add(refusalStory(of, { fault, rule: rule?.name, clock }));
  }

  /** The revision that a WebSocket had before, while it gets requests, or another that does by now. */
  #targetOf(request: AcceptedRequest, target: string): string {
    const { scheme, host, headers } = request;
    const match = this.cluster.router.match({
      scheme,
      host,
      target: request.target,
      method: "GET",
      headers: headers.headers,
    });
    if (match === undefined) throw this.#unrouted(host);
    const { backends } = match.rule;
    const { split } = match;
    if (split !== undefined && split.revisions.length === 1) return split.revisions[0] ?? target;
    const picked =
      backends.pickSticky(stickyToken(target), this.cluster) ?? backends.pick(this.cluster, this.#options.random);
    if (picked.target === undefined) throw new GatewayFault("BACKEND_MISSING", "");
    return picked.target;
  }

  #unrouted(host: string): GatewayFault {
    if (!this.cluster.complete) return new GatewayFault("ROUTES_UNKNOWN", "");
    return new GatewayFault(this.cluster.router.knows(host) ? "ROUTE_UNKNOWN" : "HOST_UNKNOWN", "");
  }

  /** `original`: the request as it came. */
  #proceed(passed: Passed, over: () => void, original: AcceptedRequest): OpenRequest {
    if ("status" in passed) return answerDirectly(passed, over);
    const { request, target, rules, mirrors, whenWritten } = passed;
    for (const mirror of mirrors) this.#exchange(mirror, () => undefined);
    const done = whenWritten === undefined ? over : (): void => whenWritten(over);
    const asked = { request, target, rules };
    if (request.headers.isUpgrade) return this.#webSockets.shake(asked, original, done);
    this.#webSockets.announceHearers(request, target);
    return this.#exchange(asked, done);
  }

  #exchange(
    { request, target, rules }: Pick<Forwarded, "request" | "target"> & { readonly rules?: Forwarded["rules"] },
    over: () => void,
  ): Exchange {
    const asked = { ...request, scheme: request.clientScheme, ...(rules === undefined ? {} : { rules }) };
    const exchange = new Exchange(this.#context, asked, this.#dispatcher(target), over);
    exchange.start();
    return exchange;
  }

  #dispatcher(key: string): Dispatcher {
    let dispatcher = this.#dispatcherByRevision.get(key);
    if (dispatcher !== undefined) return dispatcher;
    const { clock, random, log, limits, agents } = this.#options;
    const slash = key.indexOf("/");
    const target = this.cluster.revision(key) ?? unknownRevision(key.slice(0, slash), key.slice(slash + 1));
    dispatcher = new Dispatcher(target, {
      clock,
      random,
      log,
      limits,
      budget: this.#budget,
      agents: this.#requestMetrics?.watchAgents(agents) ?? agents,
      node: (name) => this.cluster.node(name),
      distance: (name) => this.#distance(name),
      poke: () => this.#reporter.poke(),
      podGone: (uid) => this.#upstreams.retire(uid),
    });
    this.#dispatcherByRevision.set(key, dispatcher);
    return dispatcher;
  }

  #distance(name: string): Distance {
    const node = this.cluster.node(name);
    if (node?.machine === this.#options.machine) return 0;
    return node?.zone !== undefined && node.zone === this.#zone() ? 1 : 2;
  }

  /** A gateway is in the zone of the node that runs beside it. */
  #zone(): string | undefined {
    return this.cluster.nodeOf(this.#options.machine)?.zone;
  }

  #podGone(pod: WatchedPod): void {
    const { revision = "" } = pod;
    const dispatcher = this.#dispatcherByRevision.get(revision);
    dispatcher?.podGone(pod.uid);
    // One that was made for a pod with the name of a revision that never was.
    const known = this.cluster.revision(revision) !== undefined;
    if (!known && dispatcher?.idle === true) this.#dispatcherByRevision.delete(revision);
  }

  #revisionGone(key: string): void {
    this.#dispatcherByRevision.get(key)?.close("REVISION_GONE");
    this.#dispatcherByRevision.delete(key);
    this.#meter.forget(key);
    this.#requestMetrics?.forget(key);
  }
}
