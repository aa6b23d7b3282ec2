import { Fault } from "@shallop/sdk/internal";

/**
 * The one door to what the control plane remembers. Two engines: SQLite, and later etcd; both pass
 * `store.contract.ts`. Data model as kine's: an append-only log of revisions, one integer sequence for everything.
 */
export interface Store extends AsyncDisposable {
  /** Revision of the newest write; 0 when there was none. */
  head(): number;
  /** The entry at `key`, now. */
  get(key: string): StoredEntry | undefined;
  /**
   * Entries whose key begins with `prefix`, in order of key: at most `limit` from after `startAfter`, as they were at
   * revision `at` (default: now). @throws StoreFault COMPACTED, FUTURE_REVISION
   */
  list(
    prefix: string,
    options?: { readonly limit?: number; readonly startAfter?: string; readonly at?: number },
  ): StoredList;
  /**
   * Writes if the key's revision is `expected` (0 = the key must not exist). Resolves once it is on disk (fsync),
   * with the new revision. Writes of the same turn share one transaction (group commit), each with an outcome of its
   * own. `key` is printable ASCII; `value` must not be changed afterwards.
   * @throws StoreFault REVISION_MISMATCH, UNWRITABLE
   */
  put(key: string, value: Uint8Array, expected: number): Promise<number>;
  /** Deletes if the key's revision is `expected`. Resolves with the revision of the deletion. @throws as put */
  delete(key: string, expected: number): Promise<number>;
  /**
   * Calls `onEvent` for each write under `prefix` after revision `from`, in order, none twice, none left out; first
   * those that are in the log already. Never called before `watch` has returned, nor after `stop`.
   * @throws StoreFault COMPACTED when the log no longer reaches back to `from`, FUTURE_REVISION
   */
  watch(prefix: string, from: number, onEvent: (event: StoreEvent) => void): StoreWatch;
  /**
   * Forgets what was superseded at or before `revision`: lists and watches from there on still work, older ones are
   * COMPACTED. Stops short of what a watch that is catching up has yet to read. @throws StoreFault UNWRITABLE
   */
  compact(revision: number): Promise<void>;
}

/** A watch that runs. */
export interface StoreWatch {
  /** Ends it: nothing is delivered afterwards. */
  stop(): void;
  /** Everything up to this revision has been delivered, or is not under the prefix. */
  position(): number;
}

export interface StoredEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly revision: number;
}

export interface StoredList {
  readonly entries: readonly StoredEntry[];
  /** The revision that the list shows. */
  readonly revision: number;
  /** How many more there are after the last entry. */
  readonly remaining: number;
}

export interface StoreEvent {
  readonly type: "created" | "updated" | "deleted";
  readonly key: string;
  /** New value; for `deleted` the last one. */
  readonly value: Uint8Array;
  /** What was there before, for watchers that filter. */
  readonly previous?: Uint8Array;
  readonly revision: number;
}

export type StoreFaultCode =
  /** The key has another revision than was expected. */
  | "REVISION_MISMATCH"
  /** The log no longer reaches back so far. */
  | "COMPACTED"
  /** The store has not come so far yet; one that was restored from a copy may never have been there. */
  | "FUTURE_REVISION"
  /** Nothing can be written: disk full, disk failed, closed, no permission. Reads go on. */
  | "UNWRITABLE"
  /** At opening: another process has the store open. */
  | "IN_USE"
  /** At opening: the file is something else. */
  | "NOT_A_STORE"
  /** At opening: a newer version of Shallop wrote the file. */
  | "SCHEMA_NEWER"
  /** The file is damaged. */
  | "CORRUPT";

export class StoreFault extends Fault<StoreFaultCode> {}
