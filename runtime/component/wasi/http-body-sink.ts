import type { ByteSink, SinkFailure } from "./byte-sink.ts";
import { Listeners } from "./waitable.ts";

/** Where a body goes once the message is on its way. */
export interface BodyTarget {
  readonly body: ByteSink;
  /** The body is complete. `trailers`: flat, as headers. */
  finish(trailers: readonly string[]): void;
  /** The body will never be complete. */
  fail(message: string): void;
}

/**
 * An outgoing body. Guests may write before they have sent the message: a few bytes wait here until it has a target.
 * Holds the guest to the length that it announced, because a message of another length breaks the connection for all.
 */
export class BodySink implements ByteSink {
  readonly #bufferBytesMax: number;
  readonly #listeners = new Listeners();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #written = 0;
  #contentLength: number | undefined;
  #discarding = false;
  #target: BodyTarget | undefined;
  #undo: (() => void) | undefined;
  #end: { readonly failure?: string; readonly trailers?: readonly string[] } | undefined;

  #hasWrongLength = false;

  /** `contentLength`: bytes that were announced, if that is known before the message is on its way. */
  constructor(bufferBytesMax: number, contentLength?: number) {
    this.#bufferBytesMax = bufferBytesMax;
    this.#contentLength = contentLength;
  }

  /**
   * The message is on its way. `contentLength`: bytes that were announced. `discard`: the message has no body whatever
   * the guest writes (answers to HEAD, 204, 304: RFC 9110, 6.4.1).
   */
  attach(target: BodyTarget, options: { readonly contentLength: number | undefined; readonly discard: boolean }): void {
    this.#target = target;
    this.#contentLength = options.discard ? undefined : options.contentLength;
    this.#discarding = options.discard;
    if (!this.#listeners.isEmpty) this.#follow(target);
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!options.discard) for (const chunk of waiting) target.body.write(chunk);
    if (this.#end !== undefined) this.#settle();
    this.#listeners.notify();
  }

  capacity(): number {
    if (this.#target === undefined) return this.#bufferBytesMax - this.#waitingBytes;
    return this.#discarding ? this.#bufferBytesMax : this.#target.body.capacity();
  }

  write(bytes: Uint8Array): void {
    this.#written += bytes.length;
    if (this.#discarding) return;
    if (this.#tooMuch()) return this.#failLength("more");
    if (this.#target !== undefined) return this.#target.body.write(bytes);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  flushed(): boolean {
    return this.#target === undefined || this.#discarding || this.#target.body.flushed();
  }

  failure(): SinkFailure | undefined {
    if (this.#end?.failure !== undefined) return { kind: "broken", message: this.#end.failure };
    return this.#end === undefined ? this.#target?.body.failure() : { kind: "closed" };
  }

  ready(): boolean {
    return this.failure() !== undefined || this.capacity() > 0;
  }

  subscribe(listener: () => void): () => void {
    if (this.#target !== undefined && this.#undo === undefined && this.#end === undefined) this.#follow(this.#target);
    return this.#listeners.add(listener);
  }

  /** Only for who waits: most bodies are gone before anybody has to. */
  #follow({ body }: BodyTarget): void {
    this.#undo = body.subscribe(() => this.#listeners.notify());
  }

  /** It has failed because more or less was written than announced. */
  get hasWrongLength(): boolean {
    return this.#hasWrongLength;
  }

  /** @returns false when fewer or more bytes were written than announced; the message has failed then. */
  finish(trailers: readonly string[] = []): boolean {
    if (this.#end !== undefined) return this.#end.failure === undefined;
    if (this.#isShort()) {
      this.#failLength("less");
      return false;
    }
    this.#end = { trailers };
    this.#settle();
    return true;
  }

  fail(message: string): void {
    if (this.#end !== undefined) return;
    this.#end = { failure: message };
    this.#settle();
    this.#listeners.notify();
  }

  #failLength(amount: "more" | "less"): void {
    this.#hasWrongLength = true;
    this.fail(`the guest wrote ${amount} than the content-length that it had announced`);
  }

  #settle(): void {
    if (this.#target === undefined || this.#end === undefined) return;
    this.#undo?.();
    if (this.#end.failure !== undefined) this.#target.fail(this.#end.failure);
    else if (this.#isShort() || this.#tooMuch())
      this.#target.fail("the guest's body is not as long as it had announced");
    else this.#target.finish(this.#end.trailers ?? []);
  }

  #tooMuch(): boolean {
    return this.#contentLength !== undefined && this.#written > this.#contentLength;
  }

  #isShort(): boolean {
    return this.#contentLength !== undefined && this.#written < this.#contentLength;
  }
}
