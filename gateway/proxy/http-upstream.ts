import { Agent, type AgentOptions, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import type { Duplex } from "node:stream";
import { type Clock, describeError, errorCode } from "@shallop/sdk/internal";
import { streamWindowBytes } from "@shallop/sdk/wire";
import { GatewayFault } from "./fault-status.ts";
import { pairs } from "./trailers.ts";
import { UpgradeExchange } from "./upgrade-exchange.ts";
import {
  type CancelUpstream,
  connectTimeoutMs,
  type Upstream,
  type UpstreamHandlers,
  type UpstreamRequest,
  type UpstreamStream,
} from "./upstream.ts";

export interface HttpUpstreamOptions {
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  /** Makes a connection to the pod where `host` and `port` cannot be reached directly. */
  readonly dial?: () => Promise<Duplex>;
}

// An idle connection that the pod may close at any moment is worth little; Node's own servers keep one for 5 s.
const idleSocketMs = 4_000;
// More sockets than requests at once are never needed; more idle ones than this are not worth their memory.
const idleSocketsMax = 64;
// A guest's headers; the same as over the wire after JSON.
const answerHeaderBytesMax = 64 * 1024;

/** Requests to a native pod: HTTP/1.1, one at a time on each kept connection. */
export class HttpUpstream implements Upstream {
  readonly upgrades = true;
  readonly #options: HttpUpstreamOptions;
  readonly #agent: Agent;

  constructor(options: HttpUpstreamOptions) {
    this.#options = options;
    const agentOptions = {
      keepAlive: true,
      timeout: idleSocketMs,
      maxFreeSockets: idleSocketsMax,
      scheduling: "lifo",
    } as const;
    const { dial } = options;
    this.#agent = dial === undefined ? new Agent(agentOptions) : new DialAgent(agentOptions, dial);
  }

  open(request: UpstreamRequest, handlers: UpstreamHandlers): CancelUpstream {
    const { clock } = this.#options;
    const exchange = request.isUpgrade ? new UpgradeExchange(handlers) : new HttpExchange(request, handlers);
    const { host, port } = this.#options;
    const { head } = request;
    try {
      const outgoing = httpRequest({
        agent: this.#agent,
        host,
        port,
        method: head.method,
        path: head.target,
        headers: headersFor(request),
        setDefaultHeaders: false,
        maxHeaderSize: answerHeaderBytesMax,
      });
      whenConnected(outgoing, clock, () => exchange.connected());
      exchange.start(outgoing);
    } catch (error) {
      // Node's writer is stricter than its parser about some method or path: nothing was sent.
      queueMicrotask(() => handlers.failed(new GatewayFault("BAD_REQUEST", describeError(error), { cause: error })));
    }
    return () => exchange.cancel();
  }

  retire(): void {
    // Requests that run keep their sockets, which are closed when they come back to an agent without room for them.
    this.#agent.maxFreeSockets = 0;
    for (const sockets of Object.values(this.#agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
}

/** Tells when the pod has taken the connection; one that does not in time is given up. */
function whenConnected(outgoing: ClientRequest, clock: Clock, connected: () => void): void {
  outgoing.once("socket", (socket) => {
    if (!socket.connecting) return connected();
    const timer = clock.after(connectTimeoutMs, () =>
      outgoing.destroy(new GatewayFault("CONNECT_FAILED", `the pod did not accept within ${connectTimeoutMs} ms`)),
    );
    outgoing.once("close", () => timer.cancel());
    socket.once("connect", () => {
      timer.cancel();
      connected();
    });
  });
}

/** An agent whose connections come from elsewhere. */
class DialAgent extends Agent {
  readonly #dial: () => Promise<Duplex>;

  constructor(options: AgentOptions, dial: () => Promise<Duplex>) {
    super(options);
    this.#dial = dial;
  }

  override createConnection(
    _options: unknown,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    void this.#connect(callback);
    return undefined;
  }

  async #connect(callback: ((error: Error | null, stream: Duplex) => void) | undefined): Promise<void> {
    try {
      const socket = await this.#dial();
      callback?.(null, socket);
    } catch (error) {
      // Node looks at the error alone when there is one.
      callback?.(error instanceof Error ? error : new Error(describeError(error)), undefined as never);
    }
  }
}

/**
 * The request is made anew from its parsed form. The framing is ours alone: a length that is known, or chunked, never
 * a body that only one side believes in.
 */
function headersFor({ head, contentLength, hasBody, isUpgrade }: UpstreamRequest): string[] {
  const headers = ["host", head.authority, ...head.headers];
  if (isUpgrade) return [...headers, "connection", "Upgrade", "upgrade", "websocket"];
  if (hasBody && contentLength === undefined) headers.push("transfer-encoding", "chunked");
  headers.push("connection", "keep-alive");
  return headers;
}

class HttpExchange implements UpstreamStream {
  readonly #request: UpstreamRequest;
  readonly #handlers: UpstreamHandlers;
  #outgoing: ClientRequest | undefined;
  #incoming: IncomingMessage | undefined;
  /** Body bytes that the receiver has and has not used yet. */
  #owed = 0;
  #connected = false;
  #over = false;

  constructor(request: UpstreamRequest, handlers: UpstreamHandlers) {
    this.#request = request;
    this.#handlers = handlers;
  }

  start(outgoing: ClientRequest): void {
    this.#outgoing = outgoing;
    outgoing.on("error", (error) => this.#fail(error));
    outgoing.on("response", (incoming) => this.#respond(incoming));
    outgoing.on("information", ({ statusCode, rawHeaders }) => {
      if (!this.#over && statusCode === 103) this.#handlers.informed(103, rawHeaders);
    });
    // A connection that the pod takes for something else is nobody's any more.
    outgoing.once("upgrade", (_incoming, socket) => {
      socket.destroy();
      this.#fail(new GatewayFault("ANSWER_INVALID", "the pod switched protocols without being asked"));
    });
    if (!this.#request.hasBody) outgoing.end();
  }

  connected(): void {
    this.#connected = true;
    if (this.#over) return;
    if (this.#request.hasBody) this.#outgoing?.on("drain", () => this.#over || this.#handlers.writable());
    this.#handlers.opened(this);
  }

  write(chunk: Buffer): boolean {
    return this.#over || (this.#outgoing?.write(chunk) ?? true);
  }

  end(trailers: readonly string[] = []): void {
    // Without a body it has ended already.
    if (this.#over || !this.#request.hasBody) return;
    if (trailers.length > 0 && this.#request.contentLength === undefined) this.#outgoing?.addTrailers(pairs(trailers));
    this.#outgoing?.end();
  }

  consumed(byteCount: number): void {
    this.#owed -= byteCount;
    if (this.#owed <= streamWindowBytes / 2 && this.#incoming?.isPaused() === true) this.#incoming.resume();
  }

  cancel(): void {
    this.#over = true;
    this.#outgoing?.destroy();
  }

  #respond(incoming: IncomingMessage): void {
    if (this.#over) return void incoming.destroy();
    this.#incoming = incoming;
    incoming.on("data", (chunk: Buffer) => {
      if (this.#over) return;
      this.#owed += chunk.length;
      if (this.#owed >= streamWindowBytes) incoming.pause();
      this.#handlers.data(chunk);
    });
    incoming.once("end", () => this.#end(incoming));
    incoming.on("error", (error) => this.#fail(error));
    this.#handlers.head({ status: incoming.statusCode ?? 0, headers: incoming.rawHeaders });
  }

  #end(incoming: IncomingMessage): void {
    if (this.#over) return;
    if (!incoming.complete) return this.#fail(new Error("the answer was cut short"));
    this.#over = true;
    // The pod answered without reading all: the rest is of no use to anybody, and the connection of none after it.
    if (this.#outgoing?.writableEnded === false) this.#outgoing.destroy();
    this.#handlers.end(incoming.rawTrailers);
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#outgoing?.destroy();
    if (error instanceof GatewayFault) return this.#handlers.failed(error);
    const invalid = errorCode(error)?.startsWith("HPE_") === true;
    const code = this.#connected ? (invalid ? "ANSWER_INVALID" : "CONNECTION_LOST") : "CONNECT_FAILED";
    this.#handlers.failed(new GatewayFault(code, describeError(error), { cause: error }));
  }
}
