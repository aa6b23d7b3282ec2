import { type GuestBuffer, sliceItems, storeItems } from "./copy-buffer.ts";
import { copyResults, type CopySide, type SharedSettings } from "./guest-stream.ts";
import { HostSource } from "./host-source.ts";
import type { Items, StreamReader } from "./stream.ts";

// What is read ahead when a guest asks whether there is something (a read of nothing): one frame of bytes.
const aheadItemsMax = 16 * 1024;
// A guest may ask for 2^28 items at once; the host is asked for so many, and the guest is given what there is.
const readItemsMax = 64 * 1024;

/** A stream that the host writes and a guest reads. */
export class HostStream extends HostSource<Items<unknown> | undefined> implements StreamReader {
  readonly #reader: StreamReader;
  /** Items that have come and that no read was there for. */
  #left: Items<unknown> | undefined;
  #isEnded = false;
  #isReading = false;

  constructor(reader: StreamReader, settings: SharedSettings) {
    super(settings);
    this.#reader = reader;
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

  protected override fetchFor({ buffer }: CopySide<GuestBuffer>): void {
    if (this.#left !== undefined || this.#isEnded || this.#isReading) return;
    this.#isReading = true;
    this.receive(this.#reader.read(buffer.remain === 0 ? aheadItemsMax : Math.min(buffer.remain, readItemsMax)));
  }

  protected override arrived(items: Items<unknown> | undefined): void {
    this.#isReading = false;
    if (this.#isEnded) return;
    if (items === undefined) this.#isEnded = true;
    else if (items.length === 0) throw new TypeError("a stream of the host gave no items, and was not at its end");
    else this.#left = items;
  }

  protected override serve(): void {
    const { pending } = this;
    if (pending === undefined || this.#isReading) return;
    if (this.#left === undefined && !this.#isEnded) return;
    this.pending = undefined;
    if (this.#left === undefined) return pending.done(copyResults.dropped);
    const { buffer } = pending;
    if (buffer.remain > 0) storeItems(this.item, this.#takeLeft(buffer.remain), buffer);
    pending.done(copyResults.completed);
  }

  #takeLeft(countMax: number): Items<unknown> {
    const left = this.#left ?? [];
    this.#left = left.length > countMax ? sliceItems(left, countMax, left.length) : undefined;
    return sliceItems(left, 0, countMax);
  }
}
