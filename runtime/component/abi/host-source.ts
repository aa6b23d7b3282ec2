import type { TypeIndex } from "../link/value-type.ts";
import type { GuestState } from "./component-state.ts";
import type { GuestBuffer, ItemType } from "./copy-buffer.ts";
import { copyResults, type CopySide, type Shared, type SharedSettings } from "./guest-stream.ts";

/** What the host writes and a guest reads: a stream or a future. `Answer`: what the host's reader gives at once. */
export abstract class HostSource<Answer> implements Shared {
  readonly type: TypeIndex;
  readonly guest: GuestState;
  protected readonly item: ItemType;
  /** The guest's read that waits. */
  protected pending: CopySide<GuestBuffer> | undefined;

  constructor({ type, item, guest }: SharedSettings) {
    this.type = type;
    this.item = item;
    this.guest = guest;
  }

  take(side: CopySide): void {
    this.pending = side as CopySide<GuestBuffer>;
    this.fetchFor(this.pending);
    this.serve();
  }

  give(): void {
    throw new TypeError("a guest writes to what the host writes");
  }

  /** A read of the host's that is under way goes on: what it brings is kept for the guest's next one. */
  cancel(): void {
    const pending = this.pending;
    this.pending = undefined;
    pending?.done(copyResults.cancelled);
  }

  abstract drop(): void;

  /** Asks the host for what `side` wants, unless it is there or on its way. */
  protected abstract fetchFor(side: CopySide<GuestBuffer>): void;
  protected abstract arrived(answer: Answer): void;
  /** Gives the read that waits what is there. */
  protected abstract serve(): void;

  protected receive(answer: Answer | Promise<Answer>): void {
    if (!(answer instanceof Promise)) return this.arrived(answer);
    answer.then(
      (late) =>
        this.guest.post(() => {
          this.arrived(late);
          this.serve();
        }),
      (error: unknown) => this.guest.failed(error),
    );
  }
}
