import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, describeError, errorCode, type Log, type Random } from "@shallop/sdk/internal";
import type { GatewayLimits } from "../limits.ts";
import { answerFault, discardRest } from "../proxy/answer-fault.ts";
import { faultResponse, GatewayFault, type GatewayFaultCode } from "../proxy/fault-status.ts";
import { type ClientHeaders, readClientHeaders } from "../proxy/request-head.ts";
import { readRequestTarget, type RequestTarget } from "../proxy/request-target.ts";
import { type ClientConnection, Connections, type OpenRequest } from "./connections.ts";
import type { HeapGuard } from "./heap-guard.ts";

/** A request that is well-formed; what becomes of it is another's business. */
export interface AcceptedRequest extends RequestTarget {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly id: string;
  readonly connection: ClientConnection;
  readonly headers: ClientHeaders;
  readonly expectsContinue: boolean;
}

export interface HttpServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: GatewayLimits;
  readonly heap: HeapGuard;
  /**
   * Takes a request on; `over` is to be called once it is done with. A throw of GatewayFault is answered.
   */
  readonly accept: (request: AcceptedRequest, over: () => void) => OpenRequest;
}

/** The listening side: HTTP/1.1 from clients, every limit of which is set here and nowhere left to Node's default. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  readonly #connections: Connections;
  #stopping = false;
  #openRequests = 0;
  #idle: (() => void) | undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { limits } = options;
    this.#connections = new Connections(limits.connectionsPerAddressMax);
    this.#server = createServer({
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headerTimeoutMs,
      connectionsCheckingInterval: limits.headerCheckMs,
      // Bodies have limits of their own: silence of a client, and the time limit of the revision.
      requestTimeout: 0,
      keepAliveTimeout: limits.idleTimeoutMs,
      // Checked here, with an answer that names the request.
      requireHostHeader: false,
      insecureHTTPParser: false,
      noDelay: true,
    });
    const server = this.#server;
    // Node would leave out silently what is above its limit: too many are refused instead.
    server.maxHeadersCount = 0;
    server.maxConnections = limits.connectionsMax;
    server.timeout = limits.idleTimeoutMs;
    server.on("connection", (socket: Socket) => {
      if (this.#connections.add(socket) === undefined) socket.destroy();
    });
    // Only a connection that nothing is happening on is idle: a guest may think for longer.
    server.on("timeout", (socket: Socket) => {
      if ((this.#connections.get(socket)?.open.size ?? 0) === 0) socket.destroy();
    });
    server.on("request", (incoming, outgoing) => this.#request(incoming, outgoing, false));
    server.on("checkContinue", (incoming, outgoing) => this.#request(incoming, outgoing, true));
    server.on("checkExpectation", (incoming, outgoing) =>
      this.#refuse(incoming, outgoing, new GatewayFault("EXPECTATION_FAILED", "")),
    );
    server.on("clientError", (error, socket) => this.#clientError(error, socket));
    server.on("connect", (_incoming, socket: Duplex) => this.#answerRaw(socket, "NOT_SUPPORTED"));
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
  listen(host: string, port: number): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: backlogMax }, () => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) => this.#options.log.error("the listening socket failed", error));
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** Takes no new connections, lets requests that run finish for a while, and closes what is left then. */
  async close(): Promise<void> {
    const { clock, limits, log } = this.#options;
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    for (const [, { open }] of this.#connections.all()) for (const request of open) request.closeAfter();
    if (this.#openRequests > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(limits.drainTimeoutMs, resolve);
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
  }

  #request(incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean): void {
    const { limits, heap, random } = this.#options;
    const connection = this.#connections.get(incoming.socket);
    if (connection === undefined) return void incoming.socket.destroy();
    // The last answer of this connection has said that it closes: what was pipelined behind it is dropped.
    if (connection.requests >= limits.requestsPerConnectionMax) return;
    connection.requests++;
    if (this.#stopping || heap.pressure !== "none" || connection.requests >= limits.requestsPerConnectionMax) {
      outgoing.shouldKeepAlive = false;
    }
    const id = random.uuid();
    try {
      if (heap.pressure === "refuse") throw new GatewayFault("OVERLOADED", "");
      const headers = readClientHeaders(incoming.rawHeaders, limits.headerCountMax);
      const target = readRequestTarget(incoming.url ?? "", headers.host);
      checkSupported(incoming, headers);
      if ((headers.contentLength ?? 0) > limits.bodyBytesMax) throw new GatewayFault("BODY_TOO_LARGE", "");
      this.#accept({ ...target, incoming, outgoing, id, connection, headers, expectsContinue });
    } catch (error) {
      const fault = error instanceof GatewayFault ? error : undefined;
      if (fault === undefined) throw error;
      this.#refuse(incoming, outgoing, fault, id);
    }
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

  #refuse(incoming: IncomingMessage, outgoing: ServerResponse, fault: GatewayFault, id?: string): void {
    const requestId = id ?? this.#options.random.uuid();
    const text = fault.message === "" ? undefined : fault.message;
    // After a request whose end is in doubt there is no next one; nor after one whose body may come or not.
    const clear = answeredInPeace.has(fault.code) && incoming.headers.expect === undefined;
    const close = !incoming.complete && !clear;
    answerFault(outgoing, { code: fault.code, requestId, text, close });
    discardRest(incoming, outgoing, this.#options.clock);
  }

  /** Node's parser, or its clock, has given the connection up. */
  #clientError(error: Error, socket: Duplex): void {
    const connection = this.#connections.get(socket as Socket);
    const [oldest] = connection?.open ?? [];
    const code = errorCode(error);
    if (code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    if (oldest !== undefined) return oldest.refuse("BAD_REQUEST");
    this.#options.log.debug("a client sent what is no request", { reason: describeError(error) });
    this.#answerRaw(socket, parserFault(code));
  }

  #answerRaw(socket: Duplex, code: GatewayFaultCode): void {
    const { clock, random } = this.#options;
    const { status, headers, body } = faultResponse(code, random.uuid());
    const lines = [`HTTP/1.1 ${status} ${reasonOf(status)}`];
    for (let index = 0; index < headers.length; index += 2) lines.push(`${headers[index]}: ${headers[index + 1]}`);
    socket.on("error", () => socket.destroy());
    socket.end(`${lines.join("\r\n")}\r\nconnection: close\r\n\r\n${body}`);
    // Reads what the client still sends, so that the kernel does not reset the connection before it has read the answer.
    socket.resume();
    const timer = clock.after(lingerMs, () => socket.destroy());
    socket.once("close", () => timer.cancel());
  }
}

// The request was well-formed, so that its end is clear.
const answeredInPeace: ReadonlySet<string> = new Set<GatewayFaultCode>([
  "HOST_UNKNOWN",
  "ROUTES_UNKNOWN",
  "NOT_PREPARED",
  "OVERLOADED",
  "BODY_TOO_LARGE",
]);

// Connections that the kernel keeps until they are accepted; the same as Node's default, which Linux caps as it likes.
const backlogMax = 511;
const lingerMs = 1_000;

/** @throws GatewayFault NOT_SUPPORTED, BAD_REQUEST */
function checkSupported(incoming: IncomingMessage, headers: ClientHeaders): void {
  if (incoming.httpVersion !== "1.1" && headers.chunked) {
    throw new GatewayFault("BAD_REQUEST", "HTTP/1.0 has no chunked bodies.");
  }
  // Any other protocol may be ignored (RFC 9110, 7.8); who asks for this one can do nothing with an HTTP answer.
  if (headers.upgrade?.includes("websocket") === true) {
    throw new GatewayFault("NOT_SUPPORTED", "This gateway does not carry WebSockets.");
  }
  if (incoming.method === "TRACE") throw new GatewayFault("NOT_SUPPORTED", "This gateway does not answer TRACE.");
}

function parserFault(code: string | undefined): GatewayFaultCode {
  if (code === "HPE_HEADER_OVERFLOW") return "HEADERS_TOO_LARGE";
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? "REQUEST_TIMEOUT" : "BAD_REQUEST";
}

const reasonOf = (status: number): string =>
  ({ 400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large", 501: "Not Implemented" })[
    status
  ] ?? "Error";
