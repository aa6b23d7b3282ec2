/** What a process is closed into: everything that `cell-main.ts` needs to know, which chooses nothing itself. */
export interface CellSpec {
  /** Undefined: the process stays in the machine's file tree and namespaces. */
  readonly root: CellRoot | undefined;
  /** The user the process is to be; undefined: whoever starts it. */
  readonly uid: number | undefined;
  /** The command will close its system calls; see `closeSystemCalls`. */
  readonly closesCalls: boolean;
  /** How many descriptors the command gets beside standard input, output and error: from 3 on. */
  readonly descriptors: number;
  /** Absolute path of the program and its arguments. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export interface CellRoot {
  /** An empty directory of the machine; the new root is mounted over it, for this process alone. */
  readonly mountPoint: string;
  readonly mounts: readonly CellMount[];
}

/** A file or directory of the machine that is seen in the cell: without set-user-id and devices. */
export interface CellMount {
  readonly from: string;
  readonly to: string;
  /** Nothing in what can be written to can be executed. */
  readonly writable: boolean;
}

/** Ends a cell that could not be built: nothing of the command has run. */
export const cellFailedExitCode = 125;
