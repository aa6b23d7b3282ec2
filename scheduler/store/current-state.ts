import { afterEveryKey, SortedKeys } from "./sorted-keys.ts";
import type { StoredEntry } from "./store.ts";

/** What every key holds now, in memory: get and list cost no call of SQLite. */
export class CurrentState {
  readonly #entries = new Map<string, StoredEntry>();
  readonly #keys = new SortedKeys();

  get(key: string): StoredEntry | undefined {
    return this.#entries.get(key);
  }

  set(entry: StoredEntry): void {
    if (!this.#entries.has(entry.key)) this.#keys.add(entry.key);
    this.#entries.set(entry.key, entry);
  }

  remove(key: string): void {
    this.#entries.delete(key);
    this.#keys.remove(key);
  }

  /** Entries under `prefix` from after `after`, in order of key, and how many more there are. */
  list(prefix: string, after: string, limit: number): { entries: readonly StoredEntry[]; remaining: number } {
    const from = after < prefix ? prefix : `${after}\0`;
    const { keys, remaining } = this.#keys.range(from, prefix + afterEveryKey, limit);
    const entries = keys.map((key) => this.#entries.get(key)).filter((entry) => entry !== undefined);
    return { entries, remaining };
  }
}
