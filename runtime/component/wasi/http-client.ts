import type { ClientRequest, IncomingMessage } from "node:http";
import type { EgressAgents } from "../egress/egress.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { ByteSink, SinkFailure } from "./byte-sink.ts";
import type { GuestContext } from "./guest-context.ts";
import { traceHeaders } from "./trace-headers.ts";
import type { CallTarget, CallTimeouts } from "./http-call-target.ts";
import { hopByHopNames, parseContentLength } from "./header-rules.ts";
import { type HttpErrorCode, httpErrorCodeOf } from "./http-error-code.ts";
import type { BodySink } from "./http-body-sink.ts";
import { err, ok, type Result } from "./result.ts";
import { Listeners } from "./waitable.ts";

/** What a call brings: an answer's head, and its body as it comes. */
export interface CallAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: ByteQueue;
  /** Flat, as headers; known once the body has ended. */
  readonly trailers: () => readonly string[];
  /** Closes the connection: nobody will read the body. */
  readonly abandon: () => void;
}

/** What a guest sends: its header fields, and the body that it writes, if it writes one. */
export interface OutgoingMessage {
  readonly flatHeaders: readonly string[];
  readonly bodySink: BodySink | undefined;
}

export interface HttpCallOptions {
  readonly timeouts: CallTimeouts;
  /** Called once, unless the instance ends before. */
  readonly settle: (answer: Result<CallAnswer, HttpErrorCode>) => void;
  /** The call is over. */
  readonly closed: () => void;
}

/** One outgoing request from its start to the end of its answer. */
export class HttpCall {
  readonly #context: GuestContext;
  readonly #options: HttpCallOptions;
  readonly #undoEnd: () => void;
  #request: ClientRequest | undefined;
  #timer: { cancel(): void } | undefined;
  #settled = false;
  #ended = false;

  constructor(context: GuestContext, options: HttpCallOptions) {
    this.#context = context;
    this.#options = options;
    this.#undoEnd = context.onEnd(() => this.close());
  }

  async start(target: CallTarget, outgoing: OutgoingMessage): Promise<void> {
    try {
      const { egress } = this.#context.settings;
      egress.checkLiteral(target.hostname);
      const agents = await egress.agents();
      if (this.#ended) return;
      this.#connect(agents, target, outgoing);
    } catch (error) {
      outgoing.bodySink?.fail("the request could not be made");
      this.#fail(httpErrorCodeOf(error));
    }
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.cancel();
    this.#request?.destroy();
    this.#undoEnd();
    this.#options.closed();
  }

  #connect(agents: EgressAgents, target: CallTarget, outgoing: OutgoingMessage): void {
    const { request: makeRequest, agent } = target.secure ? agents.https : agents.http;
    const headers = outgoing.flatHeaders;
    const request = makeRequest({
      agent,
      method: target.method,
      hostname: target.hostname.replace(/^\[|\]$/g, ""),
      port: target.port,
      path: target.path,
      headers: [...headers, ...traceHeaders(headers, this.#context.requestHeaders), "host", target.authority],
      lookup: this.#context.settings.egress.lookup,
    });
    this.#request = request;
    this.#expire(this.#options.timeouts.connectMs + this.#options.timeouts.firstByteMs, "connection-timeout");
    request.once("response", (message) => this.#receive(message));
    // A switch of protocols is not what an incoming-response can say.
    request.once("upgrade", (_message, socket) => {
      socket.destroy();
      this.#fail({ tag: "HTTP-upgrade-failed" });
    });
    request.once("error", (error) => {
      outgoing.bodySink?.fail("the connection broke");
      this.#fail(httpErrorCodeOf(error));
    });
    const body = outgoing.bodySink;
    if (body === undefined) {
      request.end();
      return;
    }
    const lengths = headers.filter((_, index) => index % 2 === 1 && headers[index - 1] === "content-length");
    const sink = new ClientSink(request, this.#context.settings.bounds.bufferBytesMax);
    const fail = (): void => {
      request.destroy();
    };
    body.attach(
      { body: sink, finish: (trailers) => endWith(request, trailers), fail },
      {
        contentLength: parseContentLength(lengths) ?? undefined,
        discard: false,
      },
    );
  }

  #receive(message: IncomingMessage): void {
    const queue = new ByteQueue((byteCount) => {
      unread -= byteCount;
      if (unread < this.#context.settings.bounds.bufferBytesMax && message.isPaused()) message.resume();
    });
    let unread = 0;
    message.on("data", (chunk: Buffer) => {
      unread += chunk.length;
      if (unread >= this.#context.settings.bounds.bufferBytesMax) message.pause();
      this.#expire(this.#options.timeouts.betweenBytesMs, "connection-read-timeout", queue);
      queue.push(chunk);
    });
    message.once("end", () => {
      queue.end();
      this.#timer?.cancel();
      this.close();
    });
    message.once("error", () => queue.fail("the connection broke before the answer was complete"));
    message.once("close", () => {
      queue.fail("the connection ended before the answer was complete");
      this.close();
    });
    this.#expire(this.#options.timeouts.betweenBytesMs, "connection-read-timeout", queue);
    this.#settle(
      ok({
        status: message.statusCode ?? 502,
        headers: endToEnd(message.rawHeaders),
        body: queue,
        trailers: () => endToEnd(message.rawTrailers),
        abandon: () => this.close(),
      }),
    );
  }

  #expire(delayMs: number, tag: "connection-timeout" | "connection-read-timeout", queue?: ByteQueue): void {
    this.#timer?.cancel();
    this.#timer = this.#context.settings.clock.after(delayMs, () => {
      queue?.fail("the answer came too slowly");
      this.#fail({ tag });
    });
  }

  #fail(code: HttpErrorCode): void {
    this.#settle(err(code));
    this.close();
  }

  #settle(answer: Result<CallAnswer, HttpErrorCode>): void {
    if (this.#settled || this.#context.ended) return;
    this.#settled = true;
    this.#options.settle(answer);
  }
}

/** The body of an outgoing request; `write` of node:http says when to pause. */
class ClientSink implements ByteSink {
  readonly #request: ClientRequest;
  readonly #bufferBytesMax: number;
  readonly #listeners = new Listeners();
  #full = false;
  #gone = false;

  constructor(request: ClientRequest, bufferBytesMax: number) {
    this.#request = request;
    this.#bufferBytesMax = bufferBytesMax;
    request.on("drain", () => {
      this.#full = false;
      this.#listeners.notify();
    });
    request.once("close", () => {
      this.#gone = true;
      this.#listeners.notify();
    });
  }

  capacity(): number {
    return this.#full || this.#gone ? 0 : this.#bufferBytesMax;
  }

  write(bytes: Uint8Array): void {
    this.#full = !this.#request.write(bytes);
  }

  flushed(): boolean {
    return !this.#full;
  }

  failure(): SinkFailure | undefined {
    return this.#gone ? { kind: "closed" } : undefined;
  }

  ready(): boolean {
    return this.#gone || !this.#full;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }
}

function endWith(request: ClientRequest, trailers: readonly string[]): void {
  // Without chunks there is no place for them: Node leaves them out.
  if (trailers.length > 0) request.addTrailers(pairsOf(trailers));
  request.end();
}

/** `flat`: name, value, name, value. */
function pairsOf(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) pairs.push([flat[index] ?? "", flat[index + 1] ?? ""]);
  return pairs;
}

/** `rawHeaders` without what belongs to the connection, names in lower case. */
function endToEnd(raw: readonly string[]): string[] {
  const flat: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    if (!hopByHopNames.has(name)) flat.push(name, raw[index + 1] ?? "");
  }
  return flat;
}
