import { basename } from "node:path";
import { WASI } from "node:wasi";
import { guestLimitDefaults } from "@shallop/sdk/internal";
import { guestFaultOf } from "../component/guest-fault.ts";
import { CapError } from "../component/core-module/cap-error.ts";
import { capMemories } from "../component/core-module/memory-cap.ts";
import { capTables } from "../component/core-module/table-cap.ts";
import { validateModule } from "../component/core-module/validate-module.ts";
import type { RunFlags } from "./flags.ts";
import { previewOneRefusals } from "./preview-one.ts";
import type { ProgramFile } from "./program-file.ts";
import { capAdvice } from "./prepared-program.ts";
import { StandaloneFault } from "./standalone-fault.ts";

type ModuleFlags = Pick<RunFlags, "arguments" | "environment" | "directories" | "memoryBytesMax">;

/**
 * Runs a core module that is a command of WASI preview 1, by `node:wasi`: this process is all its isolation.
 * @returns its exit code @throws GuestFault when it traps, StandaloneFault FILE_INVALID
 */
export function runModule(program: ProgramFile, flags: ModuleFlags, starting: () => void): number {
  const module = compileModule(program, flags.memoryBytesMax);
  const wasi = new WASI({
    version: "preview1",
    args: [basename(program.path), ...flags.arguments],
    env: Object.fromEntries(flags.environment),
    preopens: Object.fromEntries(flags.directories.map(({ guest, host }) => [guest, host])),
    returnOnExit: true,
  });
  starting();
  try {
    const instance = new WebAssembly.Instance(module, wasi.getImportObject());
    return wasi.start(instance);
  } catch (error) {
    throw guestFaultOf(error, "the guest failed");
  }
}

/** @throws StandaloneFault FILE_INVALID when it is none that can be run */
export function compileModule({ path, bytes }: ProgramFile, memoryBytesMax: number): WebAssembly.Module {
  const invalid = (problem: string): StandaloneFault => new StandaloneFault("FILE_INVALID", `${path} ${problem}`);
  let module: WebAssembly.Module;
  try {
    // With our flags functions are validated when they are called; a broken one shall be told of now.
    validateModule(bytes, { index: 0, offset: 0 });
    module = new WebAssembly.Module(capTables(capMemories(bytes, memoryBytesMax), guestLimitDefaults.tableEntriesMax));
  } catch (error) {
    if (error instanceof CapError) throw invalid(`cannot start: ${capAdvice(error)}`);
    throw invalid(`cannot be run: ${error instanceof Error ? error.message : String(error)}`);
  }
  const refusals = previewOneRefusals(module);
  if (refusals.length > 0) throw invalid(refusals.join("; it "));
  return module;
}
