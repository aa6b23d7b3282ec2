import type { GuestFault } from "../guest-fault.ts";
import type { ComponentState } from "./component-state.ts";

/** What a table holds: handles of resources, and what the asynchronous ABI has beside them. */
export interface TableItem {
  /** Index into `LinkPlan.resources`; `noResource` for what is no resource. */
  readonly resource: number;
}

export const noResource = -1;

/** What a handle stands for. */
export interface Handle extends TableItem {
  /** An object of the host, or the number by which the guest that defines the resource knows it. */
  readonly representation: unknown;
  readonly own: boolean;
  /** Of a borrowed handle: the call that it was lent for, which ends only when the handle has been dropped. */
  readonly scope: BorrowScope | undefined;
  /** Calls under way that this handle has been lent to. */
  lends: number;
}

/** A call that handles were lent to. */
export interface BorrowScope {
  borrows: number;
}

// Room for so many handles stays with a table that is cleared: most requests have fewer.
const keptMax = 64;

/** What a table held. */
export interface HandleItems {
  readonly items: (TableItem | undefined)[];
  readonly end: number;
  readonly free: number[];
  readonly freeCount: number;
}

/** Indexes and the handles that they name, of one component instance (CanonicalABI.md, "Table State"). 0 names none. */
export class HandleTable {
  readonly #state: ComponentState;
  readonly #max: number;
  readonly #full: () => GuestFault;
  /** As long as there have ever been handles at once: an array that is made shorter is made anew when it grows. */
  #items: (TableItem | undefined)[] = [undefined];
  /** How many of them are in use or free. */
  #end = 1;
  /** A stack; `#freeCount` of it count. */
  #free: number[] = [];
  #freeCount = 0;

  constructor(state: ComponentState, { max, full }: { readonly max: number; readonly full: () => GuestFault }) {
    this.#state = state;
    this.#max = max;
    this.#full = full;
  }

  get size(): number {
    return this.#end - 1 - this.#freeCount;
  }

  /** @throws GuestFault of its bound */
  add(item: Handle | TableItem): number {
    if (this.#freeCount > 0) {
      const free = this.#free[--this.#freeCount] ?? 0;
      this.#items[free] = item;
      return free;
    }
    const index = this.#end;
    if (index > this.#max) this.#state.fail(this.#full());
    this.#items[index] = item;
    this.#end++;
    return index;
  }

  /** @throws GuestFault when the index names no handle of this resource */
  get(index: number, resource: number): Handle {
    const item = this.item(index);
    if (item.resource !== resource) this.#state.trap(`handle ${index} is of another resource`);
    return item as Handle;
  }

  /** Whatever it is. @throws GuestFault when the index names nothing */
  item(index: number): TableItem {
    const item = this.#items[index];
    if (item === undefined) this.#state.trap(`there is no handle ${index}`);
    return item;
  }

  /** @throws GuestFault as `get` does, and when the handle is lent to a call that has not ended */
  remove(index: number, resource: number): Handle {
    const handle = this.get(index, resource);
    if (handle.lends > 0) this.#state.trap(`handle ${index} is lent to a call that has not ended`);
    this.free(index);
    return handle;
  }

  /** `item` has been asked what is there. */
  free(index: number): void {
    this.#items[index] = undefined;
    this.#free[this.#freeCount++] = index;
  }

  /** All that it holds. */
  *items(): Iterable<TableItem> {
    for (const item of this.#items) if (item !== undefined) yield item;
  }

  /** What it holds, for `putBack`; it holds nothing then. */
  setAside(): HandleItems {
    const aside = { items: this.#items, end: this.#end, free: this.#free, freeCount: this.#freeCount };
    this.#items = [undefined];
    this.#end = 1;
    this.#free = [];
    this.#freeCount = 0;
    return aside;
  }

  putBack({ items, end, free, freeCount }: HandleItems): void {
    this.#items = items;
    this.#end = end;
    this.#free = free;
    this.#freeCount = freeCount;
  }

  clear(): void {
    if (this.#end > keptMax) {
      this.#items.length = 1;
      this.#free.length = 0;
    } else {
      for (let index = 1; index < this.#end; index++) this.#items[index] = undefined;
    }
    this.#end = 1;
    this.#freeCount = 0;
  }
}
