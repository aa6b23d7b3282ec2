import type { TypeIndex } from "../link/value-type.ts";
import type { ComponentState, GuestState } from "./component-state.ts";
import { copyItems, type GuestBuffer, HostBuffer, type ItemType } from "./copy-buffer.ts";
import type { Items, StreamReader } from "./stream.ts";

/** CanonicalABI.md, "CopyResult". */
export const copyResults = { completed: 0, dropped: 1, cancelled: 2 } as const;
export type CopyResult = (typeof copyResults)[keyof typeof copyResults];

/** One end's wish to read or write, which may have to wait for the other end. */
export interface CopySide<Buffer extends GuestBuffer | HostBuffer = GuestBuffer | HostBuffer> {
  readonly buffer: Buffer;
  /** The component instance that reads or writes; undefined for the host. */
  readonly state: ComponentState | undefined;
  /** Items have been copied; the buffer stays where it is, and may be copied again, until `reclaim` is called. */
  readonly copied: (reclaim: () => void) => void;
  readonly done: (result: CopyResult) => void;
}

/** What two ends of a stream or future share. */
export interface Shared {
  /** Index into `LinkPlan.types`. */
  readonly type: TypeIndex;
  /** To read. */
  take(side: CopySide): void;
  /** To write. */
  give(side: CopySide<GuestBuffer>): void;
  /** Ends the read or write that waits. */
  cancel(): void;
  /** One of the ends is dropped. */
  drop(): void;
}

export interface SharedSettings {
  readonly type: TypeIndex;
  readonly item: ItemType;
  readonly guest: GuestState;
}

/**
 * A stream that a guest writes (CanonicalABI.md, "SharedStreamImpl"): reads and writes wait for each other, and items go from the
 * memory of one to that of the other.
 */
export class GuestStream implements Shared, StreamReader {
  readonly type: TypeIndex;
  readonly guest: GuestState;
  readonly #item: ItemType;
  #isDropped = false;
  #pending: CopySide | undefined;
  #hostRead: HostRead | undefined;

  constructor({ type, item, guest }: SharedSettings) {
    this.type = type;
    this.guest = guest;
    this.#item = item;
  }

  take(side: CopySide): void {
    if (this.#isDropped) return side.done(copyResults.dropped);
    const pending = this.#pending as CopySide<GuestBuffer> | undefined;
    if (pending === undefined) {
      this.#pending = side;
      return;
    }
    expectDifferent(this.#item, side, pending);
    if (pending.buffer.remain === 0) {
      this.#settle(copyResults.completed);
      this.#pending = side;
      return;
    }
    if (side.buffer.remain > 0) this.#copy(pending, side, pending);
    side.done(copyResults.completed);
  }

  give(side: CopySide<GuestBuffer>): void {
    if (this.#isDropped) return side.done(copyResults.dropped);
    const pending = this.#pending;
    if (pending === undefined) {
      this.#pending = side;
      return;
    }
    expectDifferent(this.#item, side, pending);
    if (pending.buffer.remain > 0) {
      if (side.buffer.remain > 0) this.#copy(side, pending, pending);
      return side.done(copyResults.completed);
    }
    if (side.buffer.length === 0 && pending.buffer.length === 0) return side.done(copyResults.completed);
    this.#settle(copyResults.completed);
    this.#pending = side;
  }

  cancel(): void {
    this.#settle(copyResults.cancelled);
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    if (this.#pending !== undefined) this.#settle(copyResults.dropped);
  }

  read(countMax: number): Items<unknown> | undefined | Promise<Items<unknown> | undefined> {
    if (this.#hostRead?.isOver === false) throw new TypeError("a stream is read twice at once");
    if (this.guest.fault !== undefined) throw this.guest.fault;
    const read = new HostRead(countMax, this.guest);
    this.#hostRead = read;
    this.take(read);
    return read.isOver ? read.items : read.wait();
  }

  #copy(from: CopySide<GuestBuffer>, to: CopySide, pending: CopySide): void {
    copyItems(this.#item, from.buffer, to.buffer, Math.min(from.buffer.remain, to.buffer.remain));
    pending.copied(() => (this.#pending = undefined));
  }

  #settle(result: CopyResult): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.done(result);
  }
}

/** "temporary", says the specification: values that are no numbers are not copied within one component instance. */
export function expectDifferent({ isNumber }: ItemType, side: CopySide, other: CopySide): void {
  if (side.state !== undefined && side.state === other.state && !isNumber) {
    side.state.trap("a component reads what it writes itself, and that is no number");
  }
}

/** A read of the host. */
export class HostRead implements CopySide<HostBuffer> {
  readonly buffer: HostBuffer;
  readonly state = undefined;
  isOver = false;
  readonly #guest: GuestState;
  #settled: (() => void) | undefined;

  constructor(countMax: number, guest: GuestState) {
    this.buffer = new HostBuffer(countMax);
    this.#guest = guest;
  }

  get items(): Items<unknown> | undefined {
    return this.buffer.items;
  }

  readonly copied = (reclaim: () => void): void => {
    reclaim();
    this.done();
  };

  readonly done = (): void => {
    this.isOver = true;
    this.#settled?.();
  };

  /** Rejects when the guest fails. */
  wait(): Promise<Items<unknown> | undefined> {
    const { waits } = this.#guest;
    return new Promise((resolve, reject) => {
      waits.add(reject);
      this.#settled = () => {
        waits.delete(reject);
        resolve(this.items);
      };
    });
  }
}
