import type { IoErrorCause } from "./io-error.ts";
import type { Waitable } from "./waitable.ts";

/** Where a guest's bytes come from. Ready when there are some, when no more will come, and when it has failed. */
export interface ByteSource extends Waitable {
  /** Why the bytes will never be complete. */
  readonly failure: string | undefined;
  /** What the interface that the bytes come through says about `failure`. */
  readonly failureCause: IoErrorCause | undefined;
  /** Everything has been read, and no more will come. */
  readonly finished: boolean;
  /** At most `byteCountMax` bytes; none when there are none now. The result may be a view: copy it before it is kept. */
  read(byteCountMax: number): Uint8Array;
}
