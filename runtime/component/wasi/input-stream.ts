import type { ByteSource } from "./byte-source.ts";
import type { GuestContext } from "./guest-context.ts";
import { IoError } from "./io-error.ts";
import { Pollable } from "./io-poll.ts";
import { Resource } from "./resource.ts";
import { err, ok, type Result } from "./result.ts";
import { whenAnyReady } from "./waitable.ts";

/** `wasi:io/streams.stream-error`. */
export type StreamError = { readonly tag: "last-operation-failed"; readonly val: IoError } | { readonly tag: "closed" };

export type ReadResult = Result<Uint8Array, StreamError>;

// A guest may ask for 2^64 bytes; what comes at once is what has arrived, and a read that is this long is enough.
const readBytesMax = 1024 * 1024;

/** `wasi:io/streams.input-stream`. */
export class InputStream extends Resource {
  readonly #source: ByteSource;
  readonly #drop: (() => void) | undefined;

  constructor(context: GuestContext, source: ByteSource, drop?: () => void) {
    super(context);
    this.#source = source;
    this.#drop = drop;
  }

  read(length: bigint): ReadResult {
    const source = this.#source;
    if (source.failure !== undefined) {
      return err({ tag: "last-operation-failed", val: new IoError(this.context, source.failure, source.failureCause) });
    }
    if (source.finished) return err({ tag: "closed" });
    return ok(source.read(length > BigInt(readBytesMax) ? readBytesMax : Number(length)));
  }

  blockingRead(length: bigint): ReadResult | Promise<ReadResult> {
    if (this.#source.ready()) return this.read(length);
    return whenAnyReady(this.context, [this.#source]).then(() => this.read(length));
  }

  skip(length: bigint): Result<bigint, StreamError> {
    const result = this.read(length);
    return result.tag === "ok" ? ok(BigInt(result.val.length)) : result;
  }

  blockingSkip(length: bigint): Result<bigint, StreamError> | Promise<Result<bigint, StreamError>> {
    if (this.#source.ready()) return this.skip(length);
    return whenAnyReady(this.context, [this.#source]).then(() => this.skip(length));
  }

  subscribe(): Pollable {
    return new Pollable(this.context, this.#source);
  }

  protected override dropped(): void {
    this.#drop?.();
  }
}
