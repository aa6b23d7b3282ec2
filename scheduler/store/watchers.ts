import type { StoreEvent, StoreWatch } from "./store.ts";

/** Where watchers get what they have not seen. */
export interface EventSource {
  /** Revision of the newest event. */
  head(): number;
  /** Some of the events after `revision`, the next ones first; at least one when there are any. */
  eventsAfter(revision: number): readonly StoreEvent[];
}

interface Watcher {
  readonly prefix: string;
  readonly onEvent: (event: StoreEvent) => void;
  /** Everything up to here was delivered or is of no interest to it. */
  position: number;
  stopped: boolean;
}

/**
 * Hands each watcher the events it waits for, in order. A watcher that is behind gets one portion a turn, so that a long
 * way back does not hold up everybody else; one that has caught up gets events as they are announced.
 */
export class Watchers {
  readonly #source: EventSource;
  readonly #current = new Set<Watcher>();
  readonly #behind = new Set<Watcher>();

  constructor(source: EventSource) {
    this.#source = source;
  }

  add(prefix: string, from: number, onEvent: (event: StoreEvent) => void): StoreWatch {
    const watcher: Watcher = { prefix, onEvent, position: from, stopped: false };
    if (from === this.#source.head()) this.#current.add(watcher);
    else this.#follow(watcher);
    return {
      stop: () => {
        watcher.stopped = true;
        this.#current.delete(watcher);
        this.#behind.delete(watcher);
      },
      position: () => watcher.position,
    };
  }

  /** Delivers what was just written to those who have all that came before. */
  announce(events: readonly StoreEvent[]): void {
    for (const watcher of this.#current) deliver(watcher, events);
  }

  /** The oldest revision that a watcher still reads from; undefined when nobody is behind. */
  oldestPosition(): number | undefined {
    let oldest: number | undefined;
    for (const { position } of this.#behind) oldest = Math.min(oldest ?? position, position);
    return oldest;
  }

  stopAll(): void {
    for (const watcher of [...this.#current, ...this.#behind]) watcher.stopped = true;
    this.#current.clear();
    this.#behind.clear();
  }

  #follow(watcher: Watcher): void {
    this.#behind.add(watcher);
    setImmediate(() => {
      if (watcher.stopped) return;
      deliver(watcher, this.#source.eventsAfter(watcher.position));
      if (watcher.stopped) return;
      if (watcher.position < this.#source.head()) return this.#follow(watcher);
      this.#behind.delete(watcher);
      this.#current.add(watcher);
    });
  }
}

function deliver(watcher: Watcher, events: readonly StoreEvent[]): void {
  for (const event of events) {
    if (watcher.stopped) return;
    // One that began while these are delivered, from where they end.
    if (event.revision <= watcher.position) continue;
    watcher.position = event.revision;
    if (!event.key.startsWith(watcher.prefix)) continue;
    try {
      watcher.onEvent(event);
    } catch (error) {
      // A watcher that throws is a bug, and ends the process as any other; but not in the middle of a commit, where the
      // writes of others would stay without an answer.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
