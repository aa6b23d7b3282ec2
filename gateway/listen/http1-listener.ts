import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, describeError, errorCode, type Log, type Random } from "@shallop/sdk/internal";
import type { GatewayLimits } from "../limits.ts";
import { faultResponse, GatewayFault, type GatewayFaultCode } from "../proxy/fault-status.ts";
import { type ClientHeaders, readClientHeaders } from "../proxy/request-head.ts";
import { readRequestTarget, type RequestTarget } from "../proxy/request-target.ts";
import type { Connections } from "./connections.ts";
import { Http1Client } from "./http1-client.ts";
import type { ReceivedRequest } from "./received-request.ts";
import { UpgradeClient } from "./upgrade-client.ts";

export interface Http1ListenerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: GatewayLimits;
  readonly connections: Connections;
  readonly received: (request: ReceivedRequest) => void;
}

/** HTTP/1.1 of clients by Node's server, every limit of which is set here and nowhere left to Node's default. */
export class Http1Listener {
  readonly server: Server;
  /** What Node does with a new connection. */
  readonly #connected: (socket: Socket) => void;
  readonly #options: Http1ListenerOptions;

  constructor(options: Http1ListenerOptions) {
    this.#options = options;
    const { limits } = options;
    this.server = createServer({
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headerTimeoutMs,
      connectionsCheckingInterval: limits.headerCheckMs,
      // Bodies have limits of their own: silence of a client, and the time limit of the revision.
      requestTimeout: 0,
      keepAliveTimeout: limits.idleTimeoutMs,
      // Checked here, with an answer that names the request.
      requireHostHeader: false,
      insecureHTTPParser: false,
      // Any other protocol is not offered, and such a request is one like all others (RFC 9110, 7.8).
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === "websocket",
      noDelay: true,
    });
    const { server } = this;
    // Node would leave out silently what is above its limit: too many are refused instead.
    server.maxHeadersCount = 0;
    server.maxConnections = limits.connectionsMax;
    server.timeout = limits.idleTimeoutMs;
    const [connected] = server.listeners("connection");
    this.#connected = (socket) => {
      connected?.call(server, socket);
    };
    // Which protocol a connection speaks is seen first.
    server.removeAllListeners("connection");
    this.#listen();
  }

  /** Takes over a connection whose client speaks HTTP/1; it is paused, and its first bytes are unread. */
  take(socket: Socket): void {
    this.#connected(socket);
    socket.resume();
  }

  #listen(): void {
    const { server } = this;
    const { connections } = this.#options;
    // Only a connection that nothing is happening on is idle: a guest may think for longer.
    server.on("timeout", (socket: Socket) => {
      if ((connections.get(socket)?.open.size ?? 0) === 0) socket.destroy();
    });
    server.on("request", (incoming, outgoing) => this.#request(incoming, outgoing, false));
    server.on("checkContinue", (incoming, outgoing) => this.#request(incoming, outgoing, true));
    server.on("checkExpectation", (incoming, outgoing) => this.#request(incoming, outgoing, "unknown"));
    server.on("upgrade", (incoming, socket: Duplex, head: Buffer) => this.#upgrade(incoming, socket, head));
    server.on("clientError", (error, socket) => this.#clientError(error, socket));
    server.on("connect", (_incoming, socket: Duplex) => this.#answerRaw(socket, "NOT_SUPPORTED"));
  }

  #request(incoming: IncomingMessage, outgoing: ServerResponse, expects: boolean | "unknown"): void {
    const { clock, connections, received } = this.#options;
    const connection = connections.get(incoming.socket);
    if (connection === undefined) return void incoming.socket.destroy();
    // Above all what follows a request whose end is in doubt: nobody would be told what became of it.
    if (connection.isClosing) return;
    received({
      peer: new Http1Client({ incoming, outgoing, connection, expectsContinue: expects === true }, clock),
      connection,
      scheme: connection.scheme,
      protocol: incoming.httpVersion,
      expectsContinue: expects !== false,
      read: () => {
        if (expects === "unknown") throw new GatewayFault("EXPECTATION_FAILED", "");
        return this.#read(incoming);
      },
    });
  }

  #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { clock, connections, received } = this.#options;
    const connection = connections.get(incoming.socket);
    if (connection === undefined || connection.isClosing) return void socket.destroy();
    received({
      peer: new UpgradeClient(socket, head, clock),
      connection,
      scheme: connection.scheme,
      protocol: incoming.httpVersion,
      expectsContinue: false,
      read: () => {
        const { headers, target } = this.#read(incoming);
        if (incoming.method !== "GET" || headers.chunked || (headers.contentLength ?? 0) > 0) {
          throw new GatewayFault("BAD_REQUEST", "A WebSocket begins with a GET without a body.");
        }
        checkWebSocket(incoming.headers);
        return { headers: { ...headers, isUpgrade: true }, target };
      },
    });
  }

  #read(incoming: IncomingMessage): { readonly headers: ClientHeaders; readonly target: RequestTarget } {
    const headers = readClientHeaders(incoming.rawHeaders, this.#options.limits.headerCountMax);
    const target = readRequestTarget(incoming.url ?? "", headers.host);
    checkSupported(incoming, headers);
    return { headers, target };
  }

  /** Node's parser, or its clock, has given the connection up. */
  #clientError(error: Error, socket: Duplex): void {
    const { connections, log } = this.#options;
    const [oldest] = connections.get(socket as Socket)?.open ?? [];
    const code = errorCode(error);
    if (code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    if (oldest !== undefined) return oldest.refuse("BAD_REQUEST");
    log.debug("a client sent what is no request", { reason: describeError(error) });
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

const lingerMs = 1_000;

/** @throws GatewayFault NOT_SUPPORTED, BAD_REQUEST */
function checkSupported(incoming: IncomingMessage, headers: ClientHeaders): void {
  if (incoming.httpVersion !== "1.1" && headers.chunked) {
    throw new GatewayFault("BAD_REQUEST", "HTTP/1.0 has no chunked bodies.");
  }
  if (incoming.method === "TRACE") throw new GatewayFault("NOT_SUPPORTED", "This gateway does not answer TRACE.");
}

// 16 bytes in base64.
const keyForm = /^[+/0-9A-Za-z]{22}==$/;

/** RFC 6455, 4.2.1 and 4.4. @throws GatewayFault */
function checkWebSocket(headers: IncomingHttpHeaders): void {
  if (headers["sec-websocket-version"] !== "13")
    throw new GatewayFault("WEBSOCKET_VERSION", "", { headers: ["sec-websocket-version", "13"] });
  if (!keyForm.test(headers["sec-websocket-key"] ?? ""))
    throw new GatewayFault("BAD_REQUEST", "A WebSocket begins with a key of 16 bytes in base64.");
}

function parserFault(code: string | undefined): GatewayFaultCode {
  if (code === "HPE_HEADER_OVERFLOW") return "HEADERS_TOO_LARGE";
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? "REQUEST_TIMEOUT" : "BAD_REQUEST";
}

const reasonOf = (status: number): string =>
  ({ 400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large", 501: "Not Implemented" })[
    status
  ] ?? "Error";
