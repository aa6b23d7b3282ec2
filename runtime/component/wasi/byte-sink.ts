import type { IoErrorCause } from "./io-error.ts";
import type { GuestContext } from "./guest-context.ts";
import { type Waitable, whenAnyReady } from "./waitable.ts";

/** Where bytes of a guest go. Ready when it takes more, or when it has failed. */
export interface ByteSink extends Waitable {
  /** How many bytes may be written now; 0 = wait until ready. */
  capacity(): number;
  /** At most `capacity()` bytes, which the caller never changes afterwards. */
  write(bytes: Uint8Array): void;
  /** Nothing waits that the reader should have. */
  flushed(): boolean;
  /** The reader is gone or broke, and why; no write will succeed again. */
  failure(): SinkFailure | undefined;
}

export type SinkFailure =
  /** No more is wanted. */
  { readonly kind: "closed" } | { readonly kind: "broken"; readonly message: string; readonly cause?: IoErrorCause };

/** Resolves when nothing waits in it, or when it has failed. */
export function whenFlushed(context: GuestContext, sink: ByteSink): Promise<void> {
  const flushed: Waitable = {
    ready: () => sink.flushed() || sink.failure() !== undefined,
    subscribe: (listener) => sink.subscribe(listener),
  };
  return whenAnyReady(context, [flushed]);
}
