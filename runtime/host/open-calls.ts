import type { Clock, Timer } from "@shallop/sdk/internal";
import { type Linked, LinkedList } from "./linked-list.ts";

/** Something that is over when its time is. */
export interface Expiring<Call> extends Linked<Call> {
  /** On the clock's own scale. */
  readonly deadlineMs: number;
  /** Its time is up. */
  late(): void;
}

/**
 * The calls that are under way, the most urgent first. Most have the same time, so that one that comes is the last of them, or near it. And
 * most are over before their deadline, so there is one timer for all, set for the earliest deadline that there was when it was set: one for each
 * would cost a request as much as the reading of it.
 */
export class OpenCalls<Call extends Expiring<Call>> implements Iterable<Call> {
  readonly #clock: Clock;
  readonly #calls = new LinkedList<Call>();
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#calls.size;
  }

  get mostUrgent(): Call | undefined {
    return this.#calls.first;
  }

  [Symbol.iterator](): IterableIterator<Call> {
    return this.#calls[Symbol.iterator]();
  }

  add(call: Call): void {
    let before = this.#calls.last;
    while (before !== undefined && before.deadlineMs > call.deadlineMs) before = before.previous;
    this.#calls.insertAfter(before, call);
    if (call.deadlineMs < this.#timerMs) this.#set(call.deadlineMs);
  }

  delete(call: Call): void {
    this.#calls.remove(call);
  }

  #set(atMs: number): void {
    this.#timer?.cancel();
    this.#timerMs = atMs;
    this.#timer = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    this.#timerMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.nowMs();
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const call of this.#calls) {
      if (call.deadlineMs > nowMs) {
        earliestMs = call.deadlineMs;
        break;
      }
      call.late();
    }
    // What is late may have made room for what is not.
    if (earliestMs < this.#timerMs) this.#set(earliestMs);
  }
}
