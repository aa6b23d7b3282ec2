import { GuestFault } from "../guest-fault.ts";
import { type ByteSink, whenFlushed } from "./byte-sink.ts";
import type { GuestContext } from "./guest-context.ts";
import type { InputStream, StreamError } from "./input-stream.ts";
import { IoError } from "./io-error.ts";
import { Pollable } from "./io-poll.ts";
import { Resource } from "./resource.ts";
import { done, err, ok, type Result } from "./result.ts";
import { whenAnyReady } from "./waitable.ts";

type WriteResult = Result<undefined, StreamError>;

// WASI 0.2: blocking-write-and-flush and blocking-write-zeroes-and-flush take at most 4096 bytes. Toolchains are known to
// pass more, and nothing is lost by taking it; the guest's memory bounds it.
/** `wasi:io/streams.output-stream`. */
export class OutputStream extends Resource {
  readonly #sink: ByteSink;
  readonly #drop: (() => void) | undefined;

  constructor(context: GuestContext, sink: ByteSink, drop?: () => void) {
    super(context);
    this.#sink = sink;
    this.#drop = drop;
  }

  checkWrite(): Result<bigint, StreamError> {
    const failure = this.#failure();
    return failure === undefined ? ok(BigInt(this.#sink.capacity())) : err(failure);
  }

  /** Traps when the guest writes more than `check-write` allowed, as the interface says. */
  write(contents: Uint8Array): WriteResult {
    const failure = this.#failure();
    if (failure !== undefined) return err(failure);
    if (contents.length > this.#sink.capacity()) {
      throw new GuestFault("GUEST_FAILED", "the guest wrote more to a stream than check-write had allowed");
    }
    this.#sink.write(contents);
    return done;
  }

  blockingWriteAndFlush(contents: Uint8Array): WriteResult | Promise<WriteResult> {
    // The usual case, without a promise: all of it fits and is gone at once.
    if (contents.length <= this.#sink.capacity()) {
      const result = this.write(contents);
      if (result.tag === "err" || this.#sink.flushed()) return result;
      return this.#whenFlushed();
    }
    return this.#writeSlowly(contents);
  }

  flush(): WriteResult {
    const failure = this.#failure();
    return failure === undefined ? done : err(failure);
  }

  blockingFlush(): WriteResult | Promise<WriteResult> {
    return this.#sink.flushed() ? this.flush() : this.#whenFlushed();
  }

  subscribe(): Pollable {
    return new Pollable(this.context, this.#sink);
  }

  writeZeroes(length: bigint): WriteResult {
    if (length > BigInt(this.#sink.capacity())) {
      throw new GuestFault("GUEST_FAILED", "the guest wrote more zeroes than check-write had allowed");
    }
    return this.write(new Uint8Array(Number(length)));
  }

  blockingWriteZeroesAndFlush(length: bigint): WriteResult | Promise<WriteResult> {
    const zeroesMax = this.context.settings.bounds.bufferBytesMax;
    if (length > BigInt(zeroesMax)) {
      throw new GuestFault("GUEST_FAILED", `the guest wrote more than ${zeroesMax} zeroes at once`);
    }
    return this.blockingWriteAndFlush(new Uint8Array(Number(length)));
  }

  splice(source: InputStream, length: bigint): Result<bigint, StreamError> {
    const failure = this.#failure();
    if (failure !== undefined) return err(failure);
    const capacity = BigInt(this.#sink.capacity());
    const result = source.read(length < capacity ? length : capacity);
    if (result.tag === "err") return result;
    // The source may hand out a view of a buffer that others use too.
    if (result.val.length > 0) this.#sink.write(result.val.slice());
    return ok(BigInt(result.val.length));
  }

  async blockingSplice(source: InputStream, length: bigint): Promise<Result<bigint, StreamError>> {
    await whenAnyReady(this.context, [this.#sink]);
    const readable = source.subscribe();
    await whenAnyReady(this.context, [readable.waitable]);
    readable[Symbol.dispose]();
    return this.splice(source, length);
  }

  protected override dropped(): void {
    this.#drop?.();
  }

  async #writeSlowly(contents: Uint8Array): Promise<WriteResult> {
    let rest = contents;
    while (rest.length > 0) {
      await whenAnyReady(this.context, [this.#sink]);
      const part = rest.subarray(0, Math.max(0, this.#sink.capacity()));
      const result = this.write(part);
      if (result.tag === "err") return result;
      rest = rest.subarray(part.length);
    }
    return this.#sink.flushed() ? done : this.#whenFlushed();
  }

  async #whenFlushed(): Promise<WriteResult> {
    await whenFlushed(this.context, this.#sink);
    return this.flush();
  }

  #failure(): StreamError | undefined {
    const failure = this.#sink.failure();
    if (failure === undefined) return undefined;
    if (failure.kind === "closed") return { tag: "closed" };
    return { tag: "last-operation-failed", val: new IoError(this.context, failure.message, failure.cause) };
  }
}
