import { setImmediate as nextTurn } from "node:timers/promises";
import { assert } from "@shallop/sdk/internal";
import { CurrentState } from "./current-state.ts";
import { LogDatabase, type LogRow } from "./log-database.ts";
import { RecentEvents } from "./recent-events.ts";
import { writeFailure } from "./sqlite-fault.ts";
import {
  type Store,
  type StoredEntry,
  type StoredList,
  StoreFault,
  type StoreEvent,
  type StoreWatch,
} from "./store.ts";
import { Watchers } from "./watchers.ts";

// A transaction holds up everything else in the process: at some 40 000 rows a second, this many take 25 ms.
const transactionWritesMax = 1000;
// What the API can have under way is far less. One past it means that the disk does not keep up.
const writesWaitingMax = 20_000;
// Watches that break are resumed from here: several minutes of a busy cluster, in memory that one process can spare.
const recentEventsMax = 10_000;
const recentBytesMax = 64 * 1024 * 1024;
// A portion is delivered, and a batch compacted, in a few milliseconds.
const watchPortionEvents = 500;
const compactBatchRevisions = 1000;

interface Write {
  readonly key: string;
  /** Undefined deletes. */
  readonly value: Uint8Array | undefined;
  readonly expected: number;
  readonly resolve: (revision: number) => void;
  readonly reject: (error: unknown) => void;
}

interface Decision {
  readonly write: Write;
  /** What the key held when it was this write's turn. */
  readonly previous: StoredEntry | undefined;
  /** Undefined: the key has another revision than the writer thinks. */
  readonly row: LogRow | undefined;
}

/**
 * The store in one SQLite file: an append-only log on disk, and in memory what every key holds now, and the newest
 * events. Reads that want the past go to the log. One process at a time.
 */
export class SqliteStore implements Store {
  readonly #database: LogDatabase;
  readonly #current = new CurrentState();
  readonly #recent: RecentEvents;
  readonly #watchers: Watchers;
  #head: number;
  #compacted: number;
  #waiting: Write[] = [];
  #commitIsDue = false;
  #compaction: Promise<void> = Promise.resolve();
  /** Set for good after an I/O error, and at close. */
  #unwritable: StoreFault | undefined;
  #closed = false;

  /**
   * Opens the store in `file`, or makes it; its directory must exist.
   * @throws StoreFault IN_USE, NOT_A_STORE, SCHEMA_NEWER, CORRUPT, UNWRITABLE
   */
  static open(file: string): SqliteStore {
    return new SqliteStore(LogDatabase.open(file));
  }

  /** Takes over a database that is open. */
  constructor(database: LogDatabase) {
    this.#database = database;
    const { head, compacted } = database.progress();
    this.#head = head;
    this.#compacted = compacted;
    for (const entry of database.currentEntries()) this.#current.set(entry);
    this.#recent = new RecentEvents(head, { eventsMax: recentEventsMax, bytesMax: recentBytesMax });
    this.#watchers = new Watchers({
      head: () => this.#head,
      eventsAfter: (revision) =>
        this.#recent.after(revision, watchPortionEvents) ?? database.eventsAfter(revision, watchPortionEvents),
    });
  }

  head(): number {
    return this.#head;
  }

  get(key: string): StoredEntry | undefined {
    return this.#current.get(key);
  }

  list(
    prefix: string,
    options: { readonly limit?: number; readonly startAfter?: string; readonly at?: number } = {},
  ): StoredList {
    const { limit, startAfter: after = "", at: revision = this.#head } = options;
    assert(limit === undefined || limit > 0, "a list has at least one entry");
    this.#checkReadable(revision);
    if (revision === this.#head) {
      return { ...this.#current.list(prefix, after, limit ?? Number.MAX_SAFE_INTEGER), revision };
    }
    const entries = [...this.#database.entriesAt({ prefix, after, at: revision, limit: limit ?? -1 })];
    const last = entries.at(-1);
    const isFull = last !== undefined && entries.length === limit;
    return {
      entries,
      revision,
      remaining: isFull ? this.#database.countAt({ prefix, after: last.key, at: revision }) : 0,
    };
  }

  put(key: string, value: Uint8Array, expected: number): Promise<number> {
    return this.#enqueue(key, owned(value), expected);
  }

  delete(key: string, expected: number): Promise<number> {
    assert(expected > 0, "what is deleted has a revision");
    return this.#enqueue(key, undefined, expected);
  }

  watch(prefix: string, from: number, onEvent: (event: StoreEvent) => void): StoreWatch {
    this.#checkReadable(from);
    return this.#watchers.add(prefix, from, onEvent);
  }

  compact(revision: number): Promise<void> {
    const compaction = this.#compaction.then(() => this.#compactTo(revision));
    // One after the other; what becomes of one is its caller's matter, not the next one's.
    this.#compaction = compaction.catch(() => undefined);
    return compaction;
  }

  /** Writes what waits, and gives the file free. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#waiting.length > 0) this.#commit();
    if (this.#closed) return;
    this.#closed = true;
    this.#unwritable = new StoreFault("UNWRITABLE", "the store is closed");
    this.#watchers.stopAll();
    await this.#compaction;
    this.#database.close();
  }

  #checkReadable(revision: number): void {
    if (revision < this.#compacted) {
      const text = `revision ${revision} was compacted; the log reaches back to ${this.#compacted}`;
      throw new StoreFault("COMPACTED", text);
    }
    if (revision > this.#head) {
      throw new StoreFault("FUTURE_REVISION", `revision ${revision} is not there yet; the newest is ${this.#head}`);
    }
  }

  #enqueue(key: string, value: Uint8Array | undefined, expected: number): Promise<number> {
    assert(/^[\x20-\x7e]+$/.test(key), "a key is printable ASCII");
    if (this.#unwritable !== undefined) return Promise.reject(this.#unwritable);
    if (this.#waiting.length >= writesWaitingMax) {
      const text = `${writesWaitingMax} writes wait for the disk already; try again in a moment`;
      return Promise.reject(new StoreFault("UNWRITABLE", text, { retryable: true }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, value, expected, resolve, reject });
      this.#commitLater();
    });
  }

  /** At the end of this turn of the event loop, with all that came in meanwhile: one fsync for many writes. */
  #commitLater(): void {
    if (this.#commitIsDue) return;
    this.#commitIsDue = true;
    setImmediate(() => {
      this.#commitIsDue = false;
      this.#commit();
      if (this.#waiting.length > 0) this.#commitLater();
    });
  }

  #commit(): void {
    const writes = this.#waiting.splice(0, transactionWritesMax);
    if (writes.length === 0) return;
    const decisions = this.#decide(writes);
    try {
      if (this.#unwritable !== undefined) throw this.#unwritable;
      const rows = decisions.map(({ row }) => row).filter((row) => row !== undefined);
      if (rows.length > 0) this.#database.append(rows);
    } catch (error) {
      // Also for those that lost against a write of this batch: that write did not happen.
      const fault = this.#writeFault(error);
      for (const { reject } of writes) reject(fault);
      return;
    }
    this.#watchers.announce(this.#apply(decisions));
  }

  /** Holds each write against what the one before it leaves. */
  #decide(writes: readonly Write[]): readonly Decision[] {
    const changed = new Map<string, StoredEntry | undefined>();
    let revision = this.#head;
    return writes.map((write) => {
      const { key, value, expected } = write;
      const previous = changed.has(key) ? changed.get(key) : this.#current.get(key);
      const previousRevision = previous?.revision ?? 0;
      if (previousRevision !== expected) return { write, previous, row: undefined };
      revision += 1;
      const createRevision = previous?.createRevision ?? revision;
      const row = {
        key,
        revision,
        createRevision,
        previousRevision,
        deleted: value === undefined,
        value: value ?? none,
      };
      changed.set(key, value === undefined ? undefined : { key, value, createRevision, revision });
      return { write, previous, row };
    });
  }

  /** Makes visible what is on disk, and tells each writer its outcome. */
  #apply(decisions: readonly Decision[]): readonly StoreEvent[] {
    const events: StoreEvent[] = [];
    for (const { write, previous, row } of decisions) {
      if (row === undefined) {
        write.reject(mismatch(write, previous));
        continue;
      }
      const event = eventOf(row, previous);
      const { key, value, createRevision, revision } = row;
      if (row.deleted) this.#current.remove(key);
      else this.#current.set({ key, value, createRevision, revision });
      this.#head = revision;
      this.#recent.add(event);
      events.push(event);
      write.resolve(revision);
    }
    return events;
  }

  #writeFault(error: unknown): unknown {
    const failure = writeFailure(this.#database.file, error);
    if (failure === undefined) return error;
    if (!failure.maySucceedLater) this.#unwritable = failure.fault;
    return failure.fault;
  }

  async #compactTo(revision: number): Promise<void> {
    for (;;) {
      // Asked for anew each time: a watch may have begun behind the head meanwhile.
      const to = Math.min(
        revision,
        this.#head,
        this.#watchers.oldestPosition() ?? this.#head,
        this.#compacted + compactBatchRevisions,
      );
      if (to <= this.#compacted) return;
      if (this.#unwritable !== undefined) throw this.#unwritable;
      try {
        this.#database.compact(this.#compacted, to);
      } catch (error) {
        throw this.#writeFault(error);
      }
      this.#compacted = to;
      await nextTurn();
    }
  }
}

const none = new Uint8Array(0);

/** A small Buffer is a slice of a pool of Node's, which it would keep in memory as a whole. */
const owned = (value: Uint8Array): Uint8Array =>
  value.byteLength === value.buffer.byteLength ? value : new Uint8Array(value);

function eventOf(row: LogRow, previous: StoredEntry | undefined): StoreEvent {
  const { key, revision, value } = row;
  if (previous === undefined) return { type: "created", key, revision, value };
  if (row.deleted) return { type: "deleted", key, revision, value: previous.value, previous: previous.value };
  return { type: "updated", key, revision, value, previous: previous.value };
}

function mismatch({ key, expected }: Write, current: StoredEntry | undefined): StoreFault {
  const has = current === undefined ? "does not exist" : `has revision ${current.revision}`;
  const wanted = expected === 0 ? "it must not exist" : `revision ${expected} was expected`;
  return new StoreFault("REVISION_MISMATCH", `key ${key} ${has}; ${wanted}`);
}
