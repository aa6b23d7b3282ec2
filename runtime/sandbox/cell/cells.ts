import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "@shallop/sdk/internal";
import { findProgram } from "../features.ts";
import { type CellProcess, type CellStreams, startCell } from "../kernel/cell.ts";
import { runCommand } from "../kernel/command.ts";
import { type CellMount, cellFailedExitCode, type CellSpec } from "../kernel/cell-spec.ts";
import { Libc } from "../kernel/libc.ts";
import { isMachineRoot } from "../kernel/user-map.ts";
import { type CellAbility, type CellFacts, decideCells } from "./cell-ability.ts";
import { rememberTrials } from "./remembered-trials.ts";
import { UserIds } from "./user-ids.ts";
import { unreadableByOthers, visibleCode } from "./visible-code.ts";

export interface CellsSettings {
  /** A directory of the node's, which is made; told apart by it are the nodes of one machine. */
  readonly directory: string;
  /** Trials that worked need not be made again by the next process: a person waits, or a node that was killed. */
  readonly remembersTrials?: boolean;
}

/** What is to run in a cell: always Node. */
export interface CellProgram {
  /** Flags of Node, the program, its arguments. */
  readonly nodeArguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Beside our code. */
  readonly mounts: readonly CellMount[];
  /** Whose it is to be, of `takeUser`; undefined: ours. */
  readonly uid: number | undefined;
  /** "machine": the machine's own, for the one process that is the way out. */
  readonly network: "none" | "machine";
  /** Standard input, output and error, and what else the program gets. */
  readonly stdio: CellStreams;
  /** A session of its own, so that it outlives us. */
  readonly detached?: boolean;
}

/** Starts processes that are closed in, as tightly as this machine allows. */
export class Cells {
  readonly ability: CellAbility;
  readonly #code: readonly CellMount[];
  readonly #mountPoint: string;
  readonly #unshare: string | undefined;
  readonly #users: UserIds;

  private constructor(parts: {
    readonly ability: CellAbility;
    readonly code: readonly string[];
    readonly mountPoint: string;
    readonly unshare: string | undefined;
    readonly users: UserIds;
  }) {
    this.ability = parts.ability;
    this.#code = parts.code.map(seen);
    this.#mountPoint = parts.mountPoint;
    this.#unshare = parts.unshare;
    this.#users = parts.users;
  }

  /** Looks at this machine, and tries what it seems to allow. */
  static async open(settings: CellsSettings): Promise<Cells> {
    const mountPoint = join(settings.directory, "cell");
    await mkdir(mountPoint, { recursive: true, mode: 0o755 });
    const [code, unshare] = await Promise.all([visibleCode(), findUnshare()]);
    const users = new UserIds(settings.directory);
    const parts = { code, mountPoint, unshare, users };
    const tryCell: CellFacts["trial"] = async (tree, ownUser) => {
      const cells = new Cells({ ...parts, ability: { tree, ownUser, closesCalls: false, missing: [] } });
      return cells.#trial();
    };
    const remembered = join(settings.directory, "trials.json");
    const trial = settings.remembersTrials === true ? rememberTrials(tryCell, remembered) : tryCell;
    const ability = await decideCells({
      platform: process.platform,
      arch: process.arch,
      isRoot: isMachineRoot(),
      unshare,
      ffi: hasFfi(),
      seccomp: (await readFile("/proc/sys/kernel/seccomp/actions_avail", "utf8").catch(() => "")).includes("errno"),
      unreadable: await unreadableByOthers(code),
      trial,
    });
    return new Cells({ ...parts, ability });
  }

  /** A user for one cell; undefined where cells are ours, or all are taken. */
  takeUser(): number | undefined {
    return this.ability.ownUser ? this.#users.take() : undefined;
  }

  /** Of a cell that an earlier agent has started. */
  reserveUser(uid: number): void {
    this.#users.reserve(uid);
  }

  releaseUser(uid: number | undefined): void {
    if (uid !== undefined) this.#users.release(uid);
  }

  /** How a process in a cell sees its own user. */
  insideUid(uid: number | undefined): number {
    return uid ?? (this.ability.tree === "user" ? 0 : (process.getuid?.() ?? 0));
  }

  /** What is started may not be the program's own process: see `cellPid`. */
  start(program: CellProgram): CellProcess {
    const { tree, ownUser, closesCalls } = this.ability;
    assert(ownUser || program.uid === undefined, "there are no users of their own here");
    const { stdio, detached = false, network } = program;
    const spec: CellSpec = {
      root: tree === "none" ? undefined : { mountPoint: this.#mountPoint, mounts: [...this.#code, ...program.mounts] },
      uid: program.uid,
      closesCalls,
      descriptors: typeof stdio === "string" ? 0 : Math.max(0, stdio.length - 3),
      command: [process.execPath, ...program.nodeArguments],
      environment: program.environment,
    };
    const isPlain = tree === "none" && program.uid === undefined && !closesCalls;
    const unshare = tree === "none" ? undefined : this.#unshare;
    return startCell(spec, { isPlain, unshare, inUserNamespace: tree === "user", network, stdio, detached });
  }

  /** Undefined when a cell works. */
  async #trial(): Promise<string | undefined> {
    const uid = this.takeUser();
    try {
      const child = this.start({
        nodeArguments: ["-e", "0"],
        environment: {},
        mounts: [],
        uid,
        network: "none",
        stdio: ["ignore", "ignore", "pipe"],
      });
      let said = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
      const code = await new Promise<number | null>((resolve) => {
        child.once("error", () => resolve(cellFailedExitCode));
        child.once("close", resolve);
      });
      return code === 0
        ? undefined
        : (said.trim().split("\n").at(-1) ?? "").slice(0, 200) || `exit code ${String(code)}`;
    } finally {
      this.releaseUser(uid);
    }
  }
}

/** Seen under its own name, and not to be changed. */
export const seen = (path: string): CellMount => ({ from: path, to: path, writable: false });

function hasFfi(): boolean {
  try {
    Libc.load();
    return true;
  } catch {
    return false;
  }
}

/** That of util-linux: others know fewer namespaces. */
async function findUnshare(): Promise<string | undefined> {
  const path = await findProgram("unshare");
  if (path === undefined) return undefined;
  const { stdout } = await runCommand(path, ["--version"]);
  return stdout.includes("util-linux") ? path : undefined;
}
