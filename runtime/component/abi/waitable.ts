import { noResource, type TableItem } from "./handle-table.ts";

/** CanonicalABI.md, "EventCode". */
export const eventCodes = {
  none: 0,
  subtask: 1,
  streamRead: 2,
  streamWrite: 3,
  futureRead: 4,
  futureWrite: 5,
  taskCancelled: 6,
} as const;

export type EventCode = (typeof eventCodes)[keyof typeof eventCodes];

/** What a guest is told of something that it waits for. */
export interface GuestEvent {
  readonly code: EventCode;
  /** Of the waitable, in the guest's table. */
  readonly index: number;
  readonly payload: number;
}

export const noEvent: GuestEvent = { code: eventCodes.none, index: 0, payload: 0 };
export const cancelEvent: GuestEvent = { code: eventCodes.taskCancelled, index: 0, payload: 0 };

/** Who waits, and is told that it may go on. */
export interface Waiter {
  wake(): void;
}

/** Something in a guest's table that a guest can wait for (CanonicalABI.md, "Waitable State"). */
export abstract class Waitable implements TableItem {
  readonly resource = noResource;
  /** The task that waits for this one thing. */
  waiter: Waiter | undefined;
  #set: WaitableSet | undefined;
  /** Made when it is taken: until then what it tells of may go on. */
  #event: (() => GuestEvent) | undefined;

  get hasEvent(): boolean {
    return this.#event !== undefined;
  }

  get isInSet(): boolean {
    return this.#set !== undefined;
  }

  setEvent(event: () => GuestEvent): void {
    this.#event = event;
    this.#set?.pending.add(this);
    this.waiter?.wake();
    this.#set?.wake();
  }

  /** `hasEvent` has been asked. */
  takeEvent(): GuestEvent {
    const event = this.#event;
    this.#event = undefined;
    this.#set?.pending.delete(this);
    return event?.() ?? noEvent;
  }

  join(set: WaitableSet | undefined): void {
    if (this.#set !== undefined) {
      this.#set.elements.delete(this);
      this.#set.pending.delete(this);
    }
    this.#set = set;
    if (set === undefined) return;
    set.elements.add(this);
    if (this.#event === undefined) return;
    set.pending.add(this);
    set.wake();
  }
}

/** `waitable-set`. Events are taken in the order in which they came. */
export class WaitableSet implements TableItem {
  readonly resource = noResource;
  readonly elements = new Set<Waitable>();
  /** Those that have an event. */
  readonly pending = new Set<Waitable>();
  readonly waiters = new Set<Waiter>();

  get hasEvent(): boolean {
    return this.pending.size > 0;
  }

  wake(): void {
    for (const waiter of this.waiters) waiter.wake();
  }

  takeEvent(): GuestEvent {
    for (const waitable of this.pending) return waitable.takeEvent();
    return noEvent;
  }
}
