import type { StreamReader } from "../../abi/stream.ts";
import type { ByteSource } from "../byte-source.ts";
import type { GuestContext } from "../guest-context.ts";
import type { IoErrorCause } from "../io-error.ts";
import { done, err, type Result } from "../result.ts";
import { Listeners, untilAnyReady } from "../waitable.ts";
import { Outcome } from "./waiting.ts";

export interface ByteReaderOptions<Code> {
  readonly source: ByteSource;
  /** Nobody reads any more: all has been read, or the guest has dropped its end. */
  readonly release: () => void;
  /** What the interface says about a source that has failed. */
  readonly codeOf: (cause: IoErrorCause | undefined) => Code;
}

/** A `stream<u8>` that the host writes, and the future beside it that says how it ended. */
export class ByteReader<Code> implements StreamReader<number> {
  readonly #context: GuestContext;
  readonly #options: ByteReaderOptions<Code>;
  readonly #outcome = new Outcome<Result<undefined, Code>>();
  readonly #dropped = new Listeners();
  #isOver = false;

  constructor(context: GuestContext, options: ByteReaderOptions<Code>) {
    this.#context = context;
    this.#options = options;
  }

  /** Well when all has been read, and when the guest wanted no more. */
  get outcome(): Promise<Result<undefined, Code>> {
    return this.#outcome.promise;
  }

  read(countMax: number): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (this.#isOver) return undefined;
    const { source, codeOf } = this.#options;
    if (source.failure !== undefined) return this.#end(err(codeOf(source.failureCause)));
    if (source.finished) return this.#end(done);
    const bytes = source.read(countMax);
    return bytes.length > 0 ? bytes : this.#readLater(countMax);
  }

  drop(): void {
    if (this.#isOver) return;
    this.#end(done);
    this.#dropped.notify();
  }

  async #readLater(countMax: number): Promise<Uint8Array | undefined> {
    const over = { ready: () => this.#isOver, subscribe: (listener: () => void) => this.#dropped.add(listener) };
    await untilAnyReady(this.#context, [this.#options.source, over]);
    return this.read(countMax);
  }

  #end(result: Result<undefined, Code>): undefined {
    this.#isOver = true;
    this.#outcome.settle(result);
    this.#options.release();
    return undefined;
  }
}

/** A stream that is at its end. */
export const emptyReader: StreamReader<never> = { read: () => undefined, drop: () => undefined };
