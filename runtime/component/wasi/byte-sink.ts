import type { IoErrorCause } from "./io-error.ts";
import type { Waitable } from "./waitable.ts";

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
