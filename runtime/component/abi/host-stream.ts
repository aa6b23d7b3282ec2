import type { TypeIndex } from "../link/value-type.ts";
import type { GuestState } from "./component-state.ts";
import { type GuestBuffer, type ItemType, sliceItems, storeItems } from "./copy-buffer.ts";
import { copyResults, type CopySide, type Shared, type SharedSettings } from "./guest-stream.ts";
import type { Items, StreamReader } from "./stream.ts";

// What is read ahead when a guest asks whether there is something (a read of nothing): one frame of bytes.
const aheadItemsMax = 16 * 1024;
// A guest may ask for 2^28 items at once; the host is asked for so many, and the guest is given what there is.
const readItemsMax = 64 * 1024;

/** A stream that the host writes and a guest reads. */
export class HostStream implements Shared, StreamReader {
  readonly type: TypeIndex;
  readonly guest: GuestState;
  readonly #reader: StreamReader;
  readonly #item: ItemType;
  /** Items that have come and that no read was there for. */
  #left: Items<unknown> | undefined;
  #isEnded = false;
  #isReading = false;
  #pending: CopySide<GuestBuffer> | undefined;

  constructor(reader: StreamReader, { type, item, guest }: SharedSettings) {
    this.#reader = reader;
    this.type = type;
    this.guest = guest;
    this.#item = item;
  }

  take(side: CopySide): void {
    this.#pending = side as CopySide<GuestBuffer>;
    if (this.#left === undefined && !this.#isEnded) this.#fetch(side.buffer.remain);
    this.#serve();
  }

  give(): void {
    throw new TypeError("a guest writes to a stream of the host");
  }

  /** A read of the host's that is under way goes on: what it brings is kept for the guest's next one. */
  cancel(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.done(copyResults.cancelled);
  }

  drop(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#left = undefined;
    this.#reader.drop();
  }

  /** The host has been given back what it gave. */
  read(countMax: number): Items<unknown> | undefined | Promise<Items<unknown> | undefined> {
    if (this.#isReading) throw new TypeError("a stream is read twice at once");
    if (this.#left !== undefined) return this.#takeLeft(countMax);
    return this.#isEnded ? undefined : this.#reader.read(countMax);
  }

  #fetch(remain: number): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const answer = this.#reader.read(remain === 0 ? aheadItemsMax : Math.min(remain, readItemsMax));
    if (!(answer instanceof Promise)) return this.#arrived(answer);
    answer.then(
      (items) =>
        this.guest.post(() => {
          this.#arrived(items);
          this.#serve();
        }),
      (error: unknown) => this.guest.failed(error),
    );
  }

  #arrived(items: Items<unknown> | undefined): void {
    this.#isReading = false;
    if (this.#isEnded) return;
    if (items === undefined) this.#isEnded = true;
    else if (items.length === 0) throw new TypeError("a stream of the host gave no items, and was not at its end");
    else this.#left = items;
  }

  #serve(): void {
    const pending = this.#pending;
    if (pending === undefined || this.#isReading) return;
    if (this.#left === undefined && !this.#isEnded) return;
    this.#pending = undefined;
    if (this.#left === undefined) return pending.done(copyResults.dropped);
    const { buffer } = pending;
    if (buffer.remain > 0) storeItems(this.#item, this.#takeLeft(buffer.remain), buffer);
    pending.done(copyResults.completed);
  }

  #takeLeft(countMax: number): Items<unknown> {
    const left = this.#left ?? [];
    this.#left = left.length > countMax ? sliceItems(left, countMax, left.length) : undefined;
    return sliceItems(left, 0, countMax);
  }
}
