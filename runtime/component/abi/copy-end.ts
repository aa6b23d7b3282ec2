import type { TableItem } from "./handle-table.ts";
import { noResource } from "./handle-table.ts";
import type { Shared } from "./guest-stream.ts";
import type { ErrorContext } from "./stream.ts";
import { Waitable } from "./waitable.ts";

export type Transferred = "stream" | "future";
export type EndSide = "readable" | "writable";

/** One end of a stream or future in a guest's table (CanonicalABI.md, "CopyEnd"). */
export class CopyEnd extends Waitable {
  readonly transferred: Transferred;
  readonly side: EndSide;
  readonly shared: Shared;
  state: "idle" | "copying" | "cancelling" | "done" = "idle";

  /** Some of what was to be copied has been, and the rest waits for the other end. */
  isPartial = false;

  constructor(transferred: Transferred, side: EndSide, shared: Shared) {
    super();
    this.transferred = transferred;
    this.side = side;
    this.shared = shared;
  }

  get isCopying(): boolean {
    return this.state === "copying" || this.state === "cancelling";
  }
}

/** An `error-context` in a guest's table. */
export class ErrorContextItem implements TableItem {
  readonly resource = noResource;
  readonly value: ErrorContext;

  constructor(value: ErrorContext) {
    this.value = value;
  }
}
