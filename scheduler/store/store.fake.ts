import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type Store,
  type StoredEntry,
  type StoredList,
  StoreFault,
  type StoreEvent,
  type StoreWatch,
} from "./store.ts";

interface Row extends StoreEvent {
  readonly createRevision: number;
}

interface Watcher {
  readonly prefix: string;
  readonly onEvent: (event: StoreEvent) => void;
  position: number;
  stopped: boolean;
}

/**
 * The store as its contract says it, in memory and without any cleverness: one list of all that happened, and every
 * answer found by going through it. For tests, and to hold the real ones against.
 */
export class FakeStore implements Store {
  #log: Row[] = [];
  #head = 0;
  #compacted = 0;
  readonly #watchers = new Set<Watcher>();
  /** What writes are refused with while it is set. */
  failWrites: StoreFault | undefined;

  head(): number {
    return this.#head;
  }

  get(key: string): StoredEntry | undefined {
    return this.#stateAt(this.#head).get(key);
  }

  list(
    prefix: string,
    options: { readonly limit?: number; readonly startAfter?: string; readonly at?: number } = {},
  ): StoredList {
    const { limit = Infinity, startAfter = "", at = this.#head } = options;
    this.#checkReadable(at);
    const all = [...this.#stateAt(at).values()]
      .filter(({ key }) => key.startsWith(prefix) && key > startAfter)
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    const entries = all.slice(0, limit);
    return { entries, revision: at, remaining: all.length - entries.length };
  }

  put(key: string, value: Uint8Array, expected: number): Promise<number> {
    return this.#write(key, value, expected);
  }

  delete(key: string, expected: number): Promise<number> {
    return this.#write(key, undefined, expected);
  }

  watch(prefix: string, from: number, onEvent: (event: StoreEvent) => void): StoreWatch {
    this.#checkReadable(from);
    const watcher = { prefix, onEvent, position: from, stopped: false };
    this.#watchers.add(watcher);
    setImmediate(() => this.#catchUp(watcher));
    return {
      stop: () => {
        watcher.stopped = true;
        this.#watchers.delete(watcher);
      },
      position: () => watcher.position,
    };
  }

  async compact(revision: number): Promise<void> {
    await nextTurn();
    const target = Math.min(revision, this.#head, ...[...this.#watchers].map(({ position }) => position));
    if (target <= this.#compacted) return;
    const kept = new Set([...this.#stateAt(target).values()].map((entry) => entry.revision));
    this.#log = this.#log.filter((row) => row.revision > target || kept.has(row.revision));
    this.#compacted = target;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watchers.clear();
    this.failWrites = new StoreFault("UNWRITABLE", "the store is closed");
    await nextTurn();
  }

  #stateAt(revision: number): ReadonlyMap<string, StoredEntry> {
    const state = new Map<string, StoredEntry>();
    for (const row of this.#log) {
      if (row.revision > revision) break;
      const { key, value, createRevision } = row;
      if (row.type === "deleted") state.delete(key);
      else state.set(key, { key, value, createRevision, revision: row.revision });
    }
    return state;
  }

  #checkReadable(revision: number): void {
    if (revision < this.#compacted) throw new StoreFault("COMPACTED", `revision ${revision} was compacted`);
    if (revision > this.#head) throw new StoreFault("FUTURE_REVISION", `revision ${revision} is not there yet`);
  }

  async #write(key: string, value: Uint8Array | undefined, expected: number): Promise<number> {
    await nextTurn();
    if (this.failWrites !== undefined) throw this.failWrites;
    const previous = this.get(key);
    if ((previous?.revision ?? 0) !== expected) {
      throw new StoreFault("REVISION_MISMATCH", `key ${key} has another revision than ${expected}`);
    }
    const revision = ++this.#head;
    const createRevision = previous?.createRevision ?? revision;
    const before = previous === undefined ? {} : { previous: previous.value };
    if (value !== undefined) {
      const type = previous === undefined ? "created" : "updated";
      this.#log.push({ type, key, value, ...before, createRevision, revision });
    } else if (previous !== undefined) {
      this.#log.push({ type: "deleted", key, value: previous.value, ...before, createRevision, revision });
    }
    for (const watcher of this.#watchers) setImmediate(() => this.#catchUp(watcher));
    return revision;
  }

  #catchUp(watcher: Watcher): void {
    for (const { createRevision: _, ...event } of this.#log) {
      if (watcher.stopped) return;
      if (event.revision <= watcher.position) continue;
      watcher.position = event.revision;
      if (event.key.startsWith(watcher.prefix)) watcher.onEvent(event);
    }
  }
}
