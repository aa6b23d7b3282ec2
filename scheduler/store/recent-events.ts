import { assert } from "@shallop/sdk/internal";
import type { StoreEvent } from "./store.ts";

/** The newest events without a gap, in order of revision; bounded by their number and by the bytes they hold on to. */
export class RecentEvents {
  readonly #eventsMax: number;
  readonly #bytesMax: number;
  /** Used from `#start` on; cut when half of it is unused, so that dropping one costs nothing. */
  #events: StoreEvent[] = [];
  #start = 0;
  #bytes = 0;
  /** Revision of the newest event that was dropped, or that was there before the first one. */
  #floor: number;

  /** `floor` is the revision after which events will be added. */
  constructor(floor: number, bounds: { readonly eventsMax: number; readonly bytesMax: number }) {
    this.#floor = floor;
    this.#eventsMax = bounds.eventsMax;
    this.#bytesMax = bounds.bytesMax;
  }

  add(event: StoreEvent): void {
    const newest = this.#events.at(-1)?.revision ?? this.#floor;
    assert(event.revision === newest + 1, "events come one after the other");
    this.#events.push(event);
    this.#bytes += weight(event);
    while (this.#events.length - this.#start > this.#eventsMax || this.#bytes > this.#bytesMax) this.#drop();
  }

  /** The next `limit` events after `revision`; undefined when some of them have been dropped. */
  after(revision: number, limit: number): readonly StoreEvent[] | undefined {
    if (revision < this.#floor) return undefined;
    const first = this.#start + (revision - this.#floor);
    return this.#events.slice(first, first + limit);
  }

  #drop(): void {
    const oldest = this.#events[this.#start];
    assert(oldest !== undefined, "there is an event to drop");
    this.#bytes -= weight(oldest);
    this.#floor = oldest.revision;
    this.#start += 1;
    if (this.#start * 2 <= this.#events.length) return;
    this.#events = this.#events.slice(this.#start);
    this.#start = 0;
  }
}

// The previous value is shared with the event before it while that one is here; counted all the same, because that one
// leaves first.
const weight = (event: StoreEvent): number =>
  event.key.length + event.value.byteLength + (event.previous?.byteLength ?? 0);
