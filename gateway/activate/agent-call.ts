import type { Clock, Timer } from "@shallop/sdk/internal";
import type { ResponseHead } from "@shallop/sdk/wire";
import {
  connectTimeoutMs,
  type CancelUpstream,
  type UpstreamHandlers,
  type UpstreamStream,
} from "../proxy/upstream.ts";

// A native pod may take seconds to be ready. Whoever takes longer is asked again: the agent goes on with what it does.
const answerTimeoutMs = 30_000;
// An Activation is a few hundred bytes.
const answerBytesMax = 64 * 1024;

export interface AgentAnswer {
  readonly status: number;
  readonly text: string;
}

/** One question to a node agent, and its answer as a whole. */
export class AgentCall implements UpstreamHandlers {
  readonly #body: Buffer;
  readonly #clock: Clock;
  readonly #answer = Promise.withResolvers<AgentAnswer>();
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  #stream: UpstreamStream | undefined;
  #cancel: CancelUpstream | undefined;
  #timer: Timer;

  constructor(body: Buffer, clock: Clock) {
    this.#body = body;
    this.#clock = clock;
    this.#timer = clock.after(connectTimeoutMs, () => this.failed(new Error("its agent accepts no connection")));
  }

  /** Rejects with what went wrong, in the words of whoever noticed. */
  get answer(): Promise<AgentAnswer> {
    return this.#answer.promise;
  }

  /** How it is given up. */
  cancelledBy(cancel: CancelUpstream): void {
    this.#cancel = cancel;
  }

  opened(stream: UpstreamStream): void {
    this.#timer.cancel();
    this.#timer = this.#clock.after(answerTimeoutMs, () => this.failed(new Error("its agent does not answer")));
    this.#stream = stream;
    stream.write(this.#body);
    stream.end();
  }

  head({ status }: ResponseHead): void {
    this.#status = status;
  }

  data(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > answerBytesMax) return this.failed(new Error("its agent answers with too much"));
    this.#chunks.push(chunk);
    this.#stream?.consumed(chunk.length);
  }

  end(): void {
    this.#timer.cancel();
    this.#answer.resolve({ status: this.#status, text: Buffer.concat(this.#chunks).toString("utf8") });
  }

  /** No answer is waited for any more. */
  failed(error: unknown): void {
    this.#timer.cancel();
    this.#cancel?.();
    this.#answer.reject(error);
  }

  informed(): void {
    // Agents give no interim answers.
  }

  writable(): void {
    // A question is one write.
  }
}
