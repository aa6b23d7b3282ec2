import { realpath } from "node:fs/promises";
import { systemClock } from "@shallop/sdk/internal";
import { moduleInCell } from "./cell-task.ts";
import type { RunFlags } from "./flags.ts";
import { allowListEgress, resolveHosts } from "./host-egress.ts";
import { loadProgram, prepareProgram } from "./prepared-program.ts";
import { checkModuleWithoutCell, preparedMounts, runInCell, withoutCell } from "./program-cell.ts";
import { digestOf, type ProgramFile, readProgram } from "./program-file.ts";
import { runComponent } from "./run-component.ts";
import { compileModule, runModule } from "./run-module.ts";
import { standaloneCells } from "./standalone-cells.ts";

export interface RunOptions {
  /** Node's cache of our own programs. */
  readonly compileCache: string | undefined;
  readonly complain: (text: string) => void;
  /** From now on it is the guest's time. */
  readonly starting: () => void;
}

/** Runs a file: in a cell where this machine has them. @returns the guest's exit code @throws GuestFault, StandaloneFault */
export async function run(flags: RunFlags, options: RunOptions): Promise<number> {
  const file = await readProgram(flags.file);
  return file.layer === "core-module" ? module(file, flags, options) : component(file, flags, options);
}

async function module(file: ProgramFile, flags: RunFlags, options: RunOptions): Promise<number> {
  const { compileCache, complain, starting } = options;
  // What cannot be run is told without a cell.
  compileModule(file, flags.memoryBytesMax);
  const cells = await standaloneCells(flags.cacheDirectory);
  if (cells.ability.tree === "none") {
    checkModuleWithoutCell(flags, cells);
    complain(withoutCell(flags.file, cells));
    return runModule(file, flags, starting);
  }
  const mounts = [{ from: await realpath(file.path), to: moduleInCell, writable: false }];
  return runInCell({ kind: "module", closesCalls: cells.ability.closesCalls, flags }, { cells, mounts, compileCache });
}

async function component(file: ProgramFile, flags: RunFlags, options: RunOptions): Promise<number> {
  const { compileCache, complain, starting } = options;
  const { cacheDirectory, memoryBytesMax } = flags;
  const clock = systemClock;
  const prepared = await prepareProgram(file, { purpose: "run", cacheDirectory, clock });
  const componentDigest = digestOf(file);
  const hosts = await resolveHosts(flags.allowedHosts);
  const cells = await standaloneCells(cacheDirectory);
  if (cells.ability.tree === "none") {
    complain(withoutCell(flags.file, cells));
    const program = loadProgram(prepared.pathOf, { path: flags.file, componentDigest, memoryBytesMax });
    return runComponent(program, { flags, egress: allowListEgress(hosts), clock, starting });
  }
  const task = { kind: "run", closesCalls: cells.ability.closesCalls, flags, componentDigest, hosts } as const;
  return runInCell(task, { cells, mounts: preparedMounts(prepared), compileCache });
}
