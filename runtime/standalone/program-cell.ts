import { once } from "node:events";
import { realpath } from "node:fs/promises";
import { constants } from "node:os";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { assert, guestV8Flags } from "@shallop/sdk/internal";
import { planFile } from "../component/component-plan.ts";
import type { PreparedComponent } from "../component/prepared-store.ts";
import type { GrantedDirectory } from "../component/wasi/guest-context.ts";
import { compileCacheMounts } from "../sandbox/cell/compile-cache.ts";
import type { Cells } from "../sandbox/cell/cells.ts";
import { type CellMount, cellFailedExitCode } from "../sandbox/kernel/cell-spec.ts";
import { type CellTask, grantInCell, preparedInCell, taskDescriptor, taskText } from "./cell-task.ts";
import { StandaloneFault } from "./standalone-fault.ts";

export interface CellRun {
  readonly cells: Cells;
  /** What it sees beside its directories: the module, or what a component was prepared to. */
  readonly mounts: readonly CellMount[];
  /** Node's cache of our own programs, which it reads. */
  readonly compileCache: string | undefined;
  /** Descriptor of a socket that listens, for the cell. */
  readonly listener?: number;
  /** Asks it to end in order; without it, it ends with this process. */
  readonly stop?: AbortSignal;
}

const program = fileURLToPath(new URL("main.ts", import.meta.url));

/**
 * Runs a guest in a process that sees the directories it was granted and no others, without network unless hosts were granted,
 * and with its system calls closed. @returns its exit code
 */
export async function runInCell(task: CellTask, run: CellRun): Promise<number> {
  const { cells, listener, stop, compileCache } = run;
  const granted = await Promise.all(task.flags.directories.map(grant));
  const cache = compileCache === undefined ? [] : await compileCacheMounts(compileCache, cells, undefined);
  const child = cells.start({
    nodeArguments: [...guestV8Flags, "--no-warnings", program, "in-cell"],
    environment: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
    mounts: [...run.mounts, ...granted.map(({ mount }) => mount), ...cache],
    // The files it was granted are this user's.
    uid: undefined,
    network: task.flags.allowedHosts.length > 0 && task.kind !== "module" ? "machine" : "none",
    stdio: ["inherit", "inherit", "inherit", "pipe", ...(listener === undefined ? [] : [listener])],
  });
  // The cell only reads Node's cache of our programs: what it runs is compiled here, so that the next one finds it.
  void import("./in-cell.ts");
  const channel = child.stdio[taskDescriptor] as Writable;
  // Gone before it has read its task: its exit code says why.
  channel.on("error", () => undefined);
  channel.write(
    taskText({ ...task, flags: { ...task.flags, directories: granted.map(({ seen }) => seen) } } as CellTask),
  );
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  if (stop === undefined) endOnSignals(end);
  else if (stop.aborted) channel.end();
  else stop.addEventListener("abort", () => channel.end(), { once: true });
  const [code] = (await once(child, "exit")) as [number | null];
  process.off("exit", end);
  assert(code !== cellFailedExitCode, "a cell of this kind was tried before");
  return code ?? killedExitCode;
}

/** Of a cell that was killed, or has killed itself. */
export const killedExitCode = 128 + constants.signals.SIGKILL;

function endOnSignals(end: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      end();
      process.exit(128 + constants.signals[signal]);
    });
  }
}

/** A directory as it is mounted, and as the process in the cell is told of it. */
async function grant(
  { host, guest, writable }: GrantedDirectory,
  index: number,
): Promise<{ readonly mount: CellMount; readonly seen: GrantedDirectory }> {
  const to = grantInCell(index);
  return { mount: { from: await realpath(host), to, writable }, seen: { host: to, guest, writable } };
}

/** The files of a prepared component, and no others of the store. */
export function preparedMounts({ plan, pathOf }: PreparedComponent): readonly CellMount[] {
  const names = [planFile, ...[...plan.modules, ...plan.files].map(({ name }) => name)];
  return names.map((name) => ({ from: pathOf(name), to: `${preparedInCell}/${name}`, writable: false }));
}

/** What to tell where there are no cells: a component is held by the engine alone then. */
export const withoutCell = (path: string, { ability }: Cells): string =>
  `${path} runs with less isolation than elsewhere: ${ability.missing[0] ?? ""}`;

/** A module gets nothing there that it could break out of. @throws StandaloneFault SANDBOX_MISSING */
export function checkModuleWithoutCell(
  { file, directories }: { readonly file: string; readonly directories: readonly GrantedDirectory[] },
  { ability }: Cells,
): void {
  if (directories.length === 0) return;
  throw new StandaloneFault(
    "SANDBOX_MISSING",
    `${file} is a module of preview 1, and such a one gets no --dir on this machine, as it would leave the directory by a symbolic link: ${ability.missing[0] ?? ""}; or build a component of it, which follows no link out`,
  );
}
