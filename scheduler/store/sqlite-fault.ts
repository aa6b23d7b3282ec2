import { StoreFault } from "./store.ts";

// Primary result codes of SQLite: https://sqlite.org/rescode.html. The upper bytes of an extended code say more.
const result = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
};

/** SQLite's primary result code of anything thrown by `node:sqlite`; 0 when it is something else. */
function primaryCode(error: unknown): number {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return 0;
  return typeof error.errcode === "number" ? error.errcode & 0xff : 0;
}

/** What went wrong at opening `file`, in a sentence that says what to do. Anything unknown is handed back as it is. */
export function openingFault(file: string, error: unknown): unknown {
  const refused = (code: StoreFault["code"], what: string): StoreFault =>
    new StoreFault(code, `cannot open the store ${file}: ${what}`, { cause: error });
  switch (primaryCode(error)) {
    case result.busy:
    case result.locked:
      return refused("IN_USE", "another process has it open; stop that one, or use another data directory");
    case result.notADatabase:
      return refused("NOT_A_STORE", "it is no SQLite database; move it away, or use another data directory");
    case result.corrupt:
      return corruptFault(file, "its pages contradict one another", error);
    case result.readOnly:
    case result.cannotOpen:
      return refused("UNWRITABLE", "it cannot be written; check that its directory exists and who owns it");
    case result.full:
      return refused("UNWRITABLE", "the disk is full; free some space");
    case result.ioError:
      return refused("UNWRITABLE", "the disk reports errors; check the machine's kernel log");
    default:
      return error;
  }
}

export const corruptFault = (file: string, what: string, cause?: unknown): StoreFault =>
  new StoreFault("CORRUPT", `the store ${file} is damaged: ${what}; restore it from a copy`, { cause });

/** Whether a failed write leaves the file in a known state, so that the next one may be tried. */
export interface WriteFailure {
  readonly fault: StoreFault;
  /** False after an I/O error: what is on disk is unknown until the file has been opened again. */
  readonly maySucceedLater: boolean;
}

/** What a write to `file` failed of; undefined for an error that is no fault of the disk. */
export function writeFailure(file: string, error: unknown): WriteFailure | undefined {
  const unwritable = (what: string, maySucceedLater: boolean): WriteFailure => ({
    fault: new StoreFault("UNWRITABLE", `cannot write to the store ${file}: ${what}`, {
      cause: error,
      retryable: maySucceedLater,
    }),
    maySucceedLater,
  });
  switch (primaryCode(error)) {
    case result.full:
      return unwritable("the disk is full; free some space, and writes go on", true);
    case result.readOnly:
      return unwritable("the file system is read-only", true);
    case result.ioError:
      // After a failed fsync the kernel may have dropped the pages and call the next fsync a success. Only what a new
      // process reads back is true.
      return unwritable("the disk reported an error; check the machine's kernel log, then restart", false);
    case result.corrupt:
    case result.notADatabase:
      return { fault: corruptFault(file, "SQLite found a page that cannot be", error), maySucceedLater: false };
    default:
      return undefined;
  }
}
