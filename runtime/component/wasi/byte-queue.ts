import type { ByteSource } from "./byte-source.ts";
import type { IoErrorCause } from "./io-error.ts";
import { Listeners } from "./waitable.ts";

/**
 * Bytes on their way to a guest. The sender's flow control bounds what waits here: it sends more only after `consumed`
 * has told it that the guest took what was there.
 */
export class ByteQueue implements ByteSource {
  readonly #listeners = new Listeners();
  readonly #consumed: (byteCount: number) => void;
  #chunks: Uint8Array[] = [];
  #ended = false;
  #failure: string | undefined;
  #failureCause: IoErrorCause | undefined;
  /** Nobody will read. */
  #isUnwanted = false;

  constructor(consumed: (byteCount: number) => void = () => undefined) {
    this.#consumed = consumed;
  }

  /** Why the bytes will never be complete. */
  get failure(): string | undefined {
    return this.#failure;
  }

  get failureCause(): IoErrorCause | undefined {
    return this.#failureCause;
  }

  /** Everything has been read, and no more will come. */
  get finished(): boolean {
    return this.#ended && this.#chunks.length === 0;
  }

  push(chunk: Uint8Array): void {
    if (this.#isUnwanted) return this.#consumed(chunk.length);
    if (this.#ended || this.#failure !== undefined || chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#listeners.notify();
  }

  end(): void {
    this.#ended = true;
    this.#listeners.notify();
  }

  /** What has not been read is dropped. */
  fail(message: string, cause?: IoErrorCause): void {
    if (this.#ended || this.#failure !== undefined) return;
    this.#failure = message;
    this.#failureCause = cause;
    this.#chunks = [];
    this.#listeners.notify();
  }

  /** Nobody will read: gives the credit of what waits and of what may still come back to the sender. */
  discard(): void {
    for (const chunk of this.#chunks) this.#consumed(chunk.length);
    this.#chunks = [];
    this.#isUnwanted = true;
    this.#listeners.clear();
  }

  /** At most `byteCountMax` bytes; none when there are none now. The result may be a view: copy it before it is kept. */
  read(byteCountMax: number): Uint8Array {
    const chunk = this.#chunks[0];
    if (chunk === undefined || byteCountMax === 0) return nothing;
    const part = chunk.length <= byteCountMax ? chunk : chunk.subarray(0, byteCountMax);
    if (part.length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(part.length);
    this.#consumed(part.length);
    return part;
  }

  ready(): boolean {
    return this.#chunks.length > 0 || this.#ended || this.#failure !== undefined;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }
}

const nothing = new Uint8Array(0);

/** A queue that is at its end: the body of a request that has none, standard input. */
export function emptyQueue(): ByteQueue {
  const queue = new ByteQueue();
  queue.end();
  return queue;
}
