import type { TypeIndex } from "../link/value-type.ts";
import type { GuestState } from "./component-state.ts";
import { copyItems, type GuestBuffer, type ItemType, storeItems } from "./copy-buffer.ts";
import {
  copyResults,
  type CopySide,
  expectDifferent,
  HostRead,
  type Shared,
  type SharedSettings,
} from "./guest-stream.ts";
import { HostSource } from "./host-source.ts";
import type { FutureReader } from "./stream.ts";

/** A future that a guest writes (CanonicalABI.md, "SharedFutureImpl"). */
export class GuestFuture implements Shared, FutureReader {
  readonly type: TypeIndex;
  readonly guest: GuestState;
  readonly #item: ItemType;
  #isDropped = false;
  #pending: CopySide | undefined;

  constructor({ type, item, guest }: SharedSettings) {
    this.type = type;
    this.guest = guest;
    this.#item = item;
  }

  take(side: CopySide): void {
    const pending = this.#pending as CopySide<GuestBuffer> | undefined;
    if (pending === undefined) this.#pending = side;
    else this.#copy(pending, side);
  }

  give(side: CopySide<GuestBuffer>): void {
    if (this.#isDropped) side.done(copyResults.dropped);
    else if (this.#pending === undefined) this.#pending = side;
    else this.#copy(side, this.#pending);
  }

  cancel(): void {
    this.#settle(copyResults.cancelled);
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    if (this.#pending !== undefined) this.#settle(copyResults.dropped);
  }

  read(): unknown {
    if (this.guest.fault !== undefined) throw this.guest.fault;
    const read = new HostRead(1, this.guest);
    this.take(read);
    return read.isOver ? read.items?.[0] : read.wait().then((items) => items?.[0]);
  }

  #copy(from: CopySide<GuestBuffer>, to: CopySide): void {
    expectDifferent(this.#item, from, to);
    copyItems(this.#item, from.buffer, to.buffer, 1);
    const pending = this.#pending;
    this.#settle(copyResults.completed);
    (pending === from ? to : from).done(copyResults.completed);
  }

  #settle(result: (typeof copyResults)[keyof typeof copyResults]): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.done(result);
  }
}

/** A future that the host writes and a guest reads. Its value is kept until it is read. */
export class HostFuture extends HostSource<unknown> implements FutureReader {
  readonly #reader: FutureReader;
  #state: "unread" | "reading" | "there" | "dropped" = "unread";
  #value: unknown;

  constructor(reader: FutureReader, settings: SharedSettings) {
    super(settings);
    this.#reader = reader;
  }

  drop(): void {
    if (this.#state === "dropped") return;
    this.#state = "dropped";
    this.#value = undefined;
    this.#reader.drop();
  }

  /** The host has been given back what it gave. */
  read(): unknown {
    return this.#state === "there" ? this.#value : this.#reader.read();
  }

  protected override fetchFor(): void {
    if (this.#state !== "unread") return;
    this.#state = "reading";
    this.receive(this.#reader.read());
  }

  protected override arrived(value: unknown): void {
    if (this.#state !== "reading") return;
    this.#state = "there";
    this.#value = value;
  }

  protected override serve(): void {
    const { pending } = this;
    if (pending === undefined || this.#state !== "there") return;
    this.pending = undefined;
    storeItems(this.item, [this.#value], pending.buffer);
    pending.done(copyResults.completed);
  }
}
