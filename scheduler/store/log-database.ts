import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { assert } from "@shallop/sdk/internal";
import { afterEveryKey } from "./sorted-keys.ts";
import { corruptFault, openingFault } from "./sqlite-fault.ts";
import { StoreFault, type StoredEntry, type StoreEvent } from "./store.ts";

/** One row of the log: what happened to `key` at `revision`. */
export interface LogRow {
  readonly revision: number;
  readonly key: string;
  readonly deleted: boolean;
  /** Revision at which the key came into being. */
  readonly createRevision: number;
  /** Revision of the same key that this one supersedes; 0 when it creates the key. */
  readonly previousRevision: number;
  /** Empty for a deletion: the last value is in the row before, which compaction keeps as long as this one. */
  readonly value: Uint8Array;
}

export interface LogRange {
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
  /** Revision that the rows are of. */
  readonly at: number;
}

// "Shlp": tells our file from any other SQLite database.
const applicationId = 0x53686c70;
const schemaVersion = 1;

// kine's table without what a single writer with a lock on the file does not need: the unique index over
// (name, prev_revision), which decides between writers, and `old_value`, which compaction keeps as a row of its own.
const schema = `
  CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    create_revision INTEGER NOT NULL,
    previous_revision INTEGER NOT NULL,
    value BLOB NOT NULL
  ) STRICT;
  CREATE INDEX log_by_key ON log (key, revision);
  CREATE TABLE progress (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    compacted INTEGER NOT NULL
  ) STRICT;
  INSERT INTO progress VALUES (1, 0);
`;

// A checkpoint leaves the WAL file at its largest size so far; one burst shall not hold disk space for ever.
const walBytesKept = 64 * 1024 * 1024;

const currentAt = `
  FROM log AS l WHERE l.key > ? AND l.key >= ? AND l.key < ? AND l.deleted = 0
    AND l.revision = (SELECT max(n.revision) FROM log AS n WHERE n.key = l.key AND n.revision <= ?)`;

/** The log on disk. Every method is one synchronous call of SQLite; what it throws is SQLite's own error. */
export class LogDatabase {
  readonly file: string;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #entriesAt: StatementSync;
  readonly #countAt: StatementSync;
  readonly #eventsAfter: StatementSync;
  readonly #forgetSuperseded: StatementSync;
  readonly #forgetDeletions: StatementSync;
  readonly #setCompacted: StatementSync;

  /**
   * Opens `file`, or makes it.
   * @throws StoreFault IN_USE, NOT_A_STORE, SCHEMA_NEWER, CORRUPT, UNWRITABLE
   */
  static open(file: string): LogDatabase {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file);
      prepareFile(file, database);
      return new LogDatabase(file, database);
    } catch (error) {
      database?.close();
      throw openingFault(file, error);
    }
  }

  private constructor(file: string, database: DatabaseSync) {
    this.file = file;
    this.#database = database;
    const prepare = (sql: string): StatementSync => {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#insert = prepare("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)");
    this.#entriesAt = prepare(
      `SELECT l.key, l.value, l.create_revision, l.revision ${currentAt} ORDER BY l.key LIMIT ?`,
    );
    this.#countAt = prepare(`SELECT count(*) ${currentAt}`);
    this.#eventsAfter = prepare(`
      SELECT l.revision, l.key, l.deleted, l.value, l.previous_revision, p.value
      FROM log AS l LEFT JOIN log AS p ON p.revision = l.previous_revision
      WHERE l.revision > ? ORDER BY l.revision LIMIT ?`);
    this.#forgetSuperseded = prepare(`
      DELETE FROM log WHERE revision IN
        (SELECT previous_revision FROM log WHERE revision > ? AND revision <= ? AND previous_revision > 0)`);
    this.#forgetDeletions = prepare("DELETE FROM log WHERE revision > ? AND revision <= ? AND deleted = 1");
    this.#setCompacted = prepare("UPDATE progress SET compacted = ? WHERE only = 1");
  }

  /** Newest revision that was ever given out, and the one up to which the log was compacted. */
  progress(): { readonly head: number; readonly compacted: number } {
    const [head, compacted] = this.#row("SELECT coalesce((SELECT max(revision) FROM log), 0), compacted FROM progress");
    // The newest row may be a deletion that compaction has removed; it goes no further than the head of its time.
    return { head: Math.max(integer(head), integer(compacted)), compacted: integer(compacted) };
  }

  /** Every key that exists, in order of key. */
  currentEntries(): Iterable<StoredEntry> {
    return this.entriesAt({ prefix: "", after: "", limit: -1, at: Number.MAX_SAFE_INTEGER });
  }

  /** At most `limit` (-1: all) entries as they were at a revision, in order of key. */
  *entriesAt(range: LogRange): Iterable<StoredEntry> {
    const { prefix, after, at, limit } = range;
    for (const row of this.#entriesAt.iterate(after, prefix, prefix + afterEveryKey, at, limit)) {
      const [key, value, createRevision, revision] = columns(row);
      yield {
        key: text(key),
        value: blob(value),
        createRevision: integer(createRevision),
        revision: integer(revision),
      };
    }
  }

  /** How many keys from after `after` there were. */
  countAt(range: Omit<LogRange, "limit">): number {
    const { prefix, after, at } = range;
    return integer(columns(this.#countAt.get(after, prefix, prefix + afterEveryKey, at))[0]);
  }

  /** At most `limit` events after `revision`, in order. */
  eventsAfter(revision: number, limit: number): StoreEvent[] {
    return this.#eventsAfter.all(revision, limit).map((row) => {
      const [revision, key, deleted, value, previousRevision, previous] = columns(row);
      const common = { key: text(key), revision: integer(revision) };
      if (integer(previousRevision) === 0) return { ...common, type: "created", value: blob(value) };
      const before = blob(previous);
      return integer(deleted) === 1
        ? { ...common, type: "deleted", value: before, previous: before }
        : { ...common, type: "updated", value: blob(value), previous: before };
    });
  }

  /** Writes all rows in one transaction, or none. When it returns they are on disk. */
  append(rows: readonly LogRow[]): void {
    this.#transaction(() => {
      for (const row of rows) {
        const { revision, key, deleted, createRevision, previousRevision, value } = row;
        this.#insert.run(revision, key, deleted ? 1 : 0, createRevision, previousRevision, value);
      }
    });
  }

  /** Removes what the revisions in (`from`, `to`] superseded, and the deletions among them. */
  compact(from: number, to: number): void {
    this.#transaction(() => {
      this.#forgetSuperseded.run(from, to);
      this.#forgetDeletions.run(from, to);
      this.#setCompacted.run(to);
    });
  }

  /** The value of a pragma, for tests that pin one. */
  pragma(name: "synchronous" | "journal_mode" | "locking_mode"): unknown {
    return this.#row(`PRAGMA ${name}`)[0];
  }

  /** Bounds the file, so that a test sees a full disk without filling one. */
  limitPages(pagesMax: number): void {
    this.#database.exec(`PRAGMA max_page_count = ${pagesMax}`);
  }

  close(): void {
    this.#database.close();
  }

  #row(sql: string): readonly unknown[] {
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    return columns(statement.get());
  }

  #transaction(write: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      write();
      this.#database.exec("COMMIT");
    } catch (error) {
      // SQLite has rolled back by itself after some errors, and is not in a transaction then.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

function prepareFile(file: string, database: DatabaseSync): void {
  const pragma = (statement: string): unknown => Object.values(database.prepare(`PRAGMA ${statement}`).get() ?? {})[0];
  // Held until close or death of the process: two control planes over one log would give revisions out twice.
  pragma("locking_mode = EXCLUSIVE");
  const isNew = pragma("schema_version") === 0;
  if (!isNew) {
    if (pragma("application_id") !== applicationId) {
      const what = "it is a SQLite database of another program; use another data directory";
      throw new StoreFault("NOT_A_STORE", `cannot open the store ${file}: ${what}`);
    }
    const version = pragma("user_version");
    if (typeof version !== "number" || version > schemaVersion) {
      const what = `it was written by a newer version of Shallop (schema ${String(version)}, this one knows ${schemaVersion})`;
      throw new StoreFault("SCHEMA_NEWER", `cannot open the store ${file}: ${what}; run the newer version`);
    }
    const finding = pragma("quick_check(1)");
    if (finding !== "ok") throw corruptFault(file, String(finding));
  }
  pragma("journal_mode = WAL");
  // In WAL mode NORMAL loses acknowledged writes at a power cut. FULL syncs the log at each commit.
  database.exec("PRAGMA synchronous = FULL");
  pragma(`journal_size_limit = ${walBytesKept}`);
  if (isNew) {
    database.exec(
      `BEGIN IMMEDIATE; ${schema} PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; COMMIT`,
    );
    syncDirectory(dirname(file));
  }
}

/** Puts the names of new files on disk, not only their contents. */
function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function columns(row: unknown): readonly unknown[] {
  assert(Array.isArray(row), "a row is a list of columns");
  return row;
}

function integer(column: unknown): number {
  assert(typeof column === "number", "the column holds a number");
  return column;
}

function text(column: unknown): string {
  assert(typeof column === "string", "the column holds text");
  return column;
}

function blob(column: unknown): Uint8Array {
  assert(column instanceof Uint8Array, "the column holds bytes");
  return column;
}
