import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Clock, Log, Random } from "@shallop/sdk/internal";
import type { GatewayLimits } from "../limits.ts";
import { answerFault } from "../proxy/answer-fault.ts";
import type { ClientEnd } from "../proxy/client-end.ts";
import { GatewayFault, type GatewayFaultCode } from "../proxy/fault-status.ts";
import type { ClientAddress, ClientHeaders } from "../proxy/request-head.ts";
import type { RequestTarget } from "../proxy/request-target.ts";
import type { CertificateStore } from "./certificate-store.ts";
import { type ClientConnection, Connections, type OpenRequest } from "./connections.ts";
import type { HeapGuard } from "./heap-guard.ts";
import { Http1Listener } from "./http1-listener.ts";
import { Http2Listener } from "./http2-listener.ts";
import type { TrustedProxies } from "../proxy/trusted-proxies.ts";
import { type ListenPlace, listenAt } from "./listen-place.ts";
import { readPreface } from "./preface.ts";
import { RequestRecord, type RequestWatcher } from "../stats/request-record.ts";
import type { Tracer } from "../stats/tracer.ts";
import { TlsListener } from "./tls-listener.ts";
import type { ReceivedRequest, Refusal, RefusedRequest } from "./received-request.ts";
import { WatchedClient } from "./watched-client.ts";

/** A request that is well-formed; what becomes of it is another's business. */
export interface AcceptedRequest extends RequestTarget {
  readonly peer: ClientEnd;
  /** Of the connection. */
  readonly scheme: "http" | "https";
  /** As the client speaks it: TLS may end at a proxy that is trusted. */
  readonly clientScheme: "http" | "https";
  readonly client: ClientAddress;
  readonly id: string;
  /** The host as the client named it, where `authority` may be what a rule has made of it. */
  readonly askedAuthority?: string | undefined;
  readonly connection: ClientConnection;
  readonly headers: ClientHeaders;
  readonly expectsContinue: boolean;
  /** Somebody watches. */
  readonly record?: RequestRecord | undefined;
}

export interface HttpServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: GatewayLimits;
  readonly heap: HeapGuard;
  /** Hear of every request; none: a request costs nothing of it. */
  readonly watchers: readonly RequestWatcher[];
  /** One of them. */
  readonly tracer?: Tracer | undefined;
  /** Undefined: nobody's word on who the client is counts. */
  readonly trusted?: TrustedProxies | undefined;
  readonly certificates: Pick<CertificateStore, "contextFor" | "defaultPair">;
  /**
   * Takes a request on; `over` is to be called once it is done with. A throw of GatewayFault is answered, and told by who throws it.
   */
  readonly accept: (request: AcceptedRequest, over: () => void) => OpenRequest;
  /** What comes no further than this. */
  readonly refused: (request: RefusedRequest) => void;
}

/** The listening side: HTTP/1.1 and HTTP/2 from clients, on one port. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #connections: Connections;
  readonly #server: Server;
  readonly #http1: Http1Listener;
  readonly #http2: Http2Listener;
  readonly #tls: TlsListener;
  #stopping = false;
  #isAnnounced = false;
  #openRequests = 0;
  #idle: (() => void) | undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { clock, random, log, limits } = options;
    const connections = new Connections(
      limits.connectionsPerAddressMax,
      (address) => options.trusted?.trusts(address) === true,
    );
    this.#connections = connections;
    const received = (request: ReceivedRequest): void => this.#received(request);
    const refused = (refusal: Refusal): void => this.#refused(refusal);
    this.#http1 = new Http1Listener({ clock, random, log, limits, received, refused });
    this.#http2 = new Http2Listener({ clock, log, limits, received });
    // A client that has said all may still hear: who speaks WebSocket ends one side first.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#connected(socket));
    this.#server.maxConnections = limits.connectionsMax;
    this.#tls = new TlsListener({
      clock,
      log,
      limits,
      contextFor: (serverName) => options.certificates.contextFor(serverName),
      defaultPair: () => options.certificates.defaultPair(),
      admit: (socket) => connections.admit(socket),
      secured: (socket, isHttp2) => this.#secured(socket, isHttp2),
    });
  }

  /** Requests that are under way. */
  get openRequests(): number {
    return this.#openRequests;
  }

  /** Of clients, idle ones too. */
  get connections(): number {
    return this.#connections.size;
  }

  /** @returns the port. @throws what Node says: EADDRINUSE, EACCES. */
  listen(place: ListenPlace): Promise<AddressInfo> {
    return this.#bind(this.#server, place);
  }

  /** HTTPS beside HTTP. @returns the port. @throws what Node says: EADDRINUSE, EACCES. */
  listenTls(place: ListenPlace): Promise<AddressInfo> {
    return this.#bind(this.#tls.server, place);
  }

  certificatesChanged(): void {
    this.#tls.certificatesChanged();
  }

  async #bind(server: Server, place: ListenPlace): Promise<AddressInfo> {
    const address = await listenAt(server, place);
    server.on("error", (error) => this.#options.log.error("the listening socket failed", error));
    return address;
  }

  /**
   * Takes no new connections, lets requests that run finish for a while, and closes what is left then.
   * @param patient another process has taken over: idle connections are not closed under a request that is on its way, and those that
   * run have the time that a request may take
   */
  async close(patient = false): Promise<void> {
    const { clock, limits, log } = this.#options;
    this.#stopping = true;
    this.#tls.close();
    const closed = Promise.all([this.#server, this.#tls.server].map(stopListening));
    if (patient) await this.#letGo(closed);
    this.#http1.closeIdle();
    this.#http2.close();
    for (const [, { open }] of this.#connections.all()) for (const request of open) request.closeAfter();
    if (this.#openRequests > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(patient ? limits.takeoverTimeoutMs : limits.drainTimeoutMs, resolve);
        this.#idle = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    if (this.#openRequests > 0) log.warn("requests were cut off by the stop", { count: this.#openRequests });
    // The answers that were just finished leave before their connections are closed.
    else await new Promise<void>((resolve) => void setImmediate(resolve));
    for (const [socket] of this.#connections.all()) {
      if (this.#openRequests > 0) socket.destroy();
      else socket.destroySoon();
    }
    await closed;
    this.#http1.close();
    this.#http2.stop();
  }

  /**
   * A client that is about to ask on a connection cannot know that it is being closed, so that an idle one is left to the client:
   * its next answer closes it, or its time of idleness, of which clients are told. HTTP/2 can say it (RFC 9113, 6.8).
   */
  async #letGo(closed: Promise<unknown>): Promise<void> {
    const { clock, limits } = this.#options;
    this.#isAnnounced = true;
    this.#http2.announceClose();
    for (const [, { isHttp2, open }] of this.#connections.all()) {
      if (!isHttp2) for (const request of open) request.closeAfter();
    }
    const timer = clock.after(announcedMs, () => this.#http2.close());
    const over = new AbortController();
    await Promise.race([closed, clock.sleep(limits.idleTimeoutMs + idleSpareMs, over.signal).catch(() => undefined)]);
    over.abort();
    timer.cancel();
    this.#isAnnounced = false;
  }

  #connected(socket: Socket): void {
    const connection = this.#connections.add(socket);
    if (connection === undefined) return void socket.destroy();
    const { headerTimeoutMs, idleTimeoutMs } = this.#options.limits;
    readPreface(socket, Math.min(headerTimeoutMs, idleTimeoutMs), (isHttp2) => {
      if (isHttp2) this.#http2.take(socket, connection);
      else this.#http1.take(socket, connection);
    });
  }

  #secured(socket: TLSSocket, isHttp2: boolean): void {
    const connection = this.#connections.addSecured(socket);
    if (isHttp2) this.#http2.take(socket, connection);
    else this.#http1.take(socket, connection);
  }

  #received(request: ReceivedRequest): void {
    const { limits, heap, random } = this.#options;
    const { connection, scheme, expectsContinue } = request;
    connection.requests++;
    const id = random.uuid();
    const record = this.#recordOf(request, id);
    const peer = record === undefined ? request.peer : new WatchedClient(request.peer, record, this.#options);
    // While it is only announced, streams of HTTP/2 that are on their way are still taken.
    const isStopping = this.#stopping && !(this.#isAnnounced && connection.isHttp2);
    if (isStopping || heap.pressure !== "none" || connection.requests >= limits.requestsPerConnectionMax) {
      peer.closeAfter();
    }
    let target: RequestTarget | undefined;
    let isTaken = false;
    try {
      if (heap.pressure === "refuse") throw new GatewayFault("OVERLOADED", "");
      const read = request.read();
      const { headers } = read;
      target = read.target;
      const known = this.#options.trusted?.clientOf(connection.client, scheme, headers.claims);
      const { client } = known ?? connection;
      const clientScheme = known?.scheme ?? scheme;
      if (record !== undefined) {
        record.client = client.address;
        record.authority = target.authority;
        record.target = target.target;
        record.headers = headers.headers.slice();
        this.#options.tracer?.begin(record, headers.headers);
      }
      if (connection.isHttp2 && connection.names?.includes(target.host) === false)
        throw new GatewayFault("MISDIRECTED", "");
      if ((headers.contentLength ?? 0) > limits.bodyBytesMax) throw new GatewayFault("BODY_TOO_LARGE", "");
      isTaken = true;
      this.#accept({ ...target, peer, scheme, clientScheme, client, id, connection, headers, expectsContinue, record });
    } catch (error) {
      const fault = error instanceof GatewayFault ? error : undefined;
      if (fault === undefined) throw error;
      if (record !== undefined) record.code = fault.code;
      if (!isTaken) {
        const { authority: host = "", target: asked = "" } = target ?? {};
        const { method } = request.peer;
        this.#options.refused({ id, method, host, target: asked, client: connection.client.address, fault });
      }
      refuse({ peer, expectsContinue }, fault, id);
    }
  }

  /** Who watches hears of what was no request, too: of its method and target nothing is clear. */
  #refused({ client: connection, id, code, status, byteCount }: Refusal): void {
    const { watchers, clock } = this.#options;
    const nothing = { method: "-", host: "", target: "", client: connection.client.address };
    this.#options.refused({ ...nothing, id, fault: new GatewayFault(code, "") });
    if (watchers.length === 0) return;
    const { scheme, client } = connection;
    const [startMs, startWallMs] = [clock.nowMs(), clock.wallMs()];
    const origin = { id, method: "-", scheme, protocol: "1.1", client: client.address, startMs, startWallMs };
    const record = Object.assign(new RequestRecord(origin), { code, status, bytesSent: byteCount, endMs: startMs });
    for (const watcher of watchers) watcher.ended(record);
  }

  #recordOf({ peer, scheme, protocol, connection }: ReceivedRequest, id: string): RequestRecord | undefined {
    const { watchers, clock } = this.#options;
    if (watchers.length === 0) return undefined;
    const { method } = peer;
    const client = connection.client.address;
    return new RequestRecord({
      ...{ id, method, scheme, protocol, client, startMs: clock.nowMs(), startWallMs: clock.wallMs() },
    });
  }

  #accept(request: AcceptedRequest): void {
    const { connection } = request;
    this.#openRequests++;
    let over = false;
    let open: OpenRequest | undefined;
    const done = (): void => {
      if (over) return;
      over = true;
      if (open !== undefined) connection.open.delete(open);
      this.#openRequests--;
      if (this.#openRequests === 0) this.#idle?.();
    };
    try {
      open = this.#options.accept(request, done);
      if (!over) connection.open.add(open);
    } catch (error) {
      done();
      throw error;
    }
  }
}

/** @returns when all connections are closed, too */
const stopListening = (server: Server): Promise<void> =>
  server.listening ? new Promise((resolve) => void server.close(() => resolve())) : Promise.resolve();

function refuse(
  { peer, expectsContinue }: Pick<ReceivedRequest, "peer" | "expectsContinue">,
  fault: GatewayFault,
  requestId: string,
): void {
  const text = fault.message === "" ? undefined : fault.message;
  // After a request whose end is in doubt there is no next one; nor after one whose body may come or not.
  const clear = answeredInPeace.has(fault.code) && !expectsContinue;
  answerFault(peer, {
    code: fault.code,
    requestId,
    text,
    headers: fault.headers,
    inDoubt: !peer.complete && !clear,
  });
  peer.discardRest();
}

// The request was well-formed, so that its end is clear.
const answeredInPeace: ReadonlySet<string> = new Set<GatewayFaultCode>([
  "MISDIRECTED",
  "HOST_UNKNOWN",
  "ROUTES_UNKNOWN",
  "ROUTE_UNKNOWN",
  "CLIENT_REFUSED",
  "UNAUTHENTICATED",
  "RATE_LIMITED",
  "BACKEND_MISSING",
  "RULE_UNUSABLE",
  "NOT_PREPARED",
  "OVERLOADED",
  "BODY_TOO_LARGE",
]);

// What a client sent before it read that its connection takes no more streams has arrived by then, wherever it is.
const announcedMs = 3_000;
// Idle connections are closed a second later than clients are told.
const idleSpareMs = 2_000;
