import { once } from "node:events";
import { realpath } from "node:fs/promises";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { assert, guestV8Flags } from "@shallop/sdk/internal";
import { type CellMount, cellFailedExitCode } from "../sandbox/kernel/cell-spec.ts";
import type { Cells } from "../sandbox/cell/cells.ts";
import type { RunFlags } from "./flags.ts";
import type { ProgramFile } from "./program-file.ts";
import { StandaloneFault } from "./standalone-fault.ts";

/** What the process in the cell is told; see `main.ts`, `module`. */
export interface ModuleTask {
  /** Where the module is in the cell. */
  readonly file: string;
  /** What it is called, by the guest too. */
  readonly path: string;
  readonly flags: Pick<RunFlags, "arguments" | "environment" | "directories" | "memoryBytesMax" | "timeoutMs">;
  readonly closesCalls: boolean;
}

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const moduleInCell = "/module.wasm";

/**
 * Runs a module of preview 1 in a process that sees the directories it was granted and no others: `node:wasi` follows
 * symbolic links, and there is nothing that they could lead to. @returns its exit code
 */
export async function runInCell(module: ProgramFile, flags: RunFlags, cells: Cells): Promise<number> {
  const { closesCalls } = cells.ability;
  const granted = await Promise.all(
    flags.directories.map(async ({ host, guest, writable }, index) => {
      return { from: await realpath(host), to: `/granted/${index}`, guest, writable };
    }),
  );
  const task: ModuleTask = {
    file: moduleInCell,
    path: module.path,
    flags: { ...flags, directories: granted.map(({ to, guest, writable }) => ({ host: to, guest, writable })) },
    closesCalls,
  };
  const mounts: readonly CellMount[] = [
    { from: await realpath(module.path), to: moduleInCell, writable: false },
    ...granted.map(({ from, to, writable }) => ({ from, to, writable })),
  ];
  const child = cells.start({
    nodeArguments: [...guestV8Flags, "--no-warnings", program, "module", JSON.stringify(task)],
    environment: {},
    mounts,
    // The files it was granted are this user's.
    uid: undefined,
    network: "none",
    stdio: "inherit",
  });
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      end();
      process.exit(128 + constants.signals[signal]);
    });
  }
  const [code] = (await once(child, "exit")) as [number | null];
  process.off("exit", end);
  assert(code !== cellFailedExitCode, "a cell of this kind was tried a moment ago");
  return code ?? 128 + constants.signals.SIGKILL;
}

/** For a machine without cells: the module gets nothing that it could break out of. @throws StandaloneFault SANDBOX_MISSING */
export function withoutCell(module: ProgramFile, flags: RunFlags, cells: Cells): string {
  const [why = ""] = cells.ability.missing;
  if (flags.directories.length > 0) {
    throw new StandaloneFault(
      "SANDBOX_MISSING",
      `${module.path} is a module of preview 1, and such a one gets no --dir on this machine, as it would leave the directory by a symbolic link: ${why}; or build a component of it, which follows no link out`,
    );
  }
  return `${module.path} runs with less isolation than elsewhere: ${why}`;
}
