import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { CellSpec } from "./cell-spec.ts";

export type CellProcess = ChildProcess;
export type CellStreams = StdioOptions;

export interface CellStart {
  /** There is nothing to close in: the command is started as it is. */
  readonly isPlain: boolean;
  /** unshare(1), where namespaces are made. */
  readonly unshare: string | undefined;
  readonly inUserNamespace: boolean;
  readonly network: "none" | "machine";
  readonly stdio: CellStreams;
  readonly detached: boolean;
}

const program = fileURLToPath(new URL("cell-main.ts", import.meta.url));

/** Starts a cell: namespaces by unshare(1), which waits for it; the rest by cell-main.ts, which becomes the command. */
export function startCell(spec: CellSpec, start: CellStart): ChildProcess {
  const { unshare, stdio, detached } = start;
  const command = start.isPlain
    ? spec.command
    : [process.execPath, "--no-warnings", "--disable-sigusr1", program, JSON.stringify(spec)];
  const [file = "", ...args] = unshare === undefined ? command : [unshare, ...namespaces(start), "--", ...command];
  const env = start.isPlain ? spec.environment : compileCacheOf(spec);
  return spawn(file, args, { env, cwd: "/", stdio, detached });
}

/** Node's cache of our programs saves cell-main.ts 80 ms of work. It runs nobody's code but ours, and may fill it. */
function compileCacheOf({ environment }: CellSpec): NodeJS.ProcessEnv {
  const { NODE_COMPILE_CACHE } = environment;
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
}

function namespaces({ inUserNamespace, network }: CellStart): readonly string[] {
  return [
    ...(inUserNamespace ? ["--user", "--map-root-user"] : []),
    ...["--mount", "--ipc", "--uts", "--cgroup", "--pid", "--fork", "--kill-child"],
    ...(network === "none" ? ["--net"] : []),
  ];
}

/** The process in the cell that `child` has started: its own, or that of the one which waits for it. */
export async function cellPid(child: ChildProcess): Promise<number | undefined> {
  const { pid, spawnargs } = child;
  if (pid === undefined || !spawnargs.includes("--fork")) return pid;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const first = Number(children.trim().split(" ")[0]);
  return first > 0 ? first : undefined;
}
