import type { ClientRequest, IncomingMessage } from "node:http";
import type { EgressAgents } from "../egress/egress.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { ByteSink, SinkFailure } from "./byte-sink.ts";
import type { GuestContext } from "./guest-context.ts";
import { hopByHopNames, parseContentLength } from "./header-rules.ts";
import { type HttpErrorCode, httpErrorCodeOf } from "./http-error-code.ts";
import { IncomingResponse } from "./http-incoming.ts";
import type { OutgoingRequest } from "./http-outgoing-request.ts";
import { Pollable } from "./io-poll.ts";
import { Resource } from "./resource.ts";
import { err, failed, ok, type Result } from "./result.ts";
import { Listeners, type Waitable } from "./waitable.ts";

type Answer = Result<IncomingResponse, HttpErrorCode>;

/** Time limits of one outgoing request, milliseconds. */
export interface CallTimeouts {
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly betweenBytesMs: number;
}

/** Where an outgoing request goes; checked. */
export interface CallTarget {
  readonly secure: boolean;
  readonly hostname: string;
  readonly port: number | undefined;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
}

/** `wasi:http/types.future-incoming-response`. */
export class FutureIncomingResponse extends Resource implements Waitable {
  readonly #listeners = new Listeners();
  #answer: Answer | undefined;
  #given = false;
  #abandon: (() => void) | undefined;

  subscribe(): Pollable;
  subscribe(listener: () => void): () => void;
  subscribe(listener?: () => void): Pollable | (() => void) {
    return listener === undefined ? new Pollable(this.context, this) : this.#listeners.add(listener);
  }

  ready(): boolean {
    return this.#answer !== undefined;
  }

  get(): Result<Answer, undefined> | undefined {
    if (this.#answer === undefined) return undefined;
    if (this.#given) return failed;
    this.#given = true;
    return ok(this.#answer);
  }

  /** For the call: what to close when the guest gives up before the answer. */
  onAbandon(abandon: () => void): void {
    this.#abandon = abandon;
  }

  settle(answer: Answer): void {
    if (this.#answer !== undefined) return;
    this.#answer = answer;
    this.#listeners.notify();
  }

  protected override dropped(): void {
    if (!this.#given) this.#abandon?.();
  }
}

/** One outgoing request from its start to the end of its answer. */
export class HttpCall {
  readonly #context: GuestContext;
  readonly #future: FutureIncomingResponse;
  readonly #timeouts: CallTimeouts;
  #request: ClientRequest | undefined;
  #timer: { cancel(): void } | undefined;
  #ended = false;
  readonly #onClosed: () => void;

  constructor(context: GuestContext, timeouts: CallTimeouts, onClosed: () => void) {
    this.#context = context;
    this.#timeouts = timeouts;
    this.#onClosed = onClosed;
    this.#future = new FutureIncomingResponse(context);
    this.#future.onAbandon(() => this.close());
    context.onEnd(() => this.close());
  }

  get future(): FutureIncomingResponse {
    return this.#future;
  }

  async start(target: CallTarget, outgoing: OutgoingRequest): Promise<void> {
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
    this.#onClosed();
  }

  #connect(agents: EgressAgents, target: CallTarget, outgoing: OutgoingRequest): void {
    const { request: makeRequest, agent } = target.secure ? agents.https : agents.http;
    const headers = outgoing.flatHeaders;
    const request = makeRequest({
      agent,
      method: target.method,
      hostname: target.hostname.replace(/^\[|\]$/g, ""),
      port: target.port,
      path: target.path,
      headers: [...headers, "host", target.authority],
      lookup: this.#context.settings.egress.lookup,
    });
    this.#request = request;
    this.#expire(this.#timeouts.connectMs + this.#timeouts.firstByteMs, "connection-timeout");
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
      { sink, finish: () => request.end(), fail },
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
      this.#expire(this.#timeouts.betweenBytesMs, "connection-read-timeout", queue);
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
    this.#expire(this.#timeouts.betweenBytesMs, "connection-read-timeout", queue);
    const head = { status: message.statusCode ?? 502, headers: endToEnd(message.rawHeaders) };
    this.#future.settle(ok(new IncomingResponse(this.#context, head, queue, () => this.close())));
  }

  #expire(delayMs: number, tag: "connection-timeout" | "connection-read-timeout", queue?: ByteQueue): void {
    this.#timer?.cancel();
    this.#timer = this.#context.settings.clock.after(delayMs, () => {
      queue?.fail("the answer came too slowly");
      this.#fail({ tag });
    });
  }

  #fail(code: HttpErrorCode): void {
    if (!this.#context.ended) this.#future.settle(err(code));
    this.close();
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

/** `rawHeaders` without what belongs to the connection, names in lower case. */
function endToEnd(raw: readonly string[]): string[] {
  const flat: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    if (!hopByHopNames.has(name)) flat.push(name, raw[index + 1] ?? "");
  }
  return flat;
}
