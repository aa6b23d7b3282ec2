import { basename } from "node:path";
import { WASI } from "node:wasi";
import { guestLimitDefaults } from "@shallop/sdk/internal";
import { guestFaultOf } from "../component/guest-fault.ts";
import { CapError } from "../component/core-module/cap-error.ts";
import { capMemories } from "../component/core-module/memory-cap.ts";
import { capTables } from "../component/core-module/table-cap.ts";
import type { RunFlags } from "./flags.ts";
import type { ProgramFile } from "./program-file.ts";
import { capAdvice } from "./prepared-program.ts";
import { StandaloneFault } from "./standalone-fault.ts";

const preview1 = "wasi_snapshot_preview1";

/**
 * Runs a core module that is a command of WASI preview 1, by `node:wasi`: this process is all its isolation.
 * @returns its exit code @throws GuestFault when it traps, StandaloneFault FILE_INVALID
 */
export function runModule(program: ProgramFile, flags: RunFlags, starting: () => void): number {
  const module = compile(program, flags.memoryBytesMax);
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

function compile({ path, bytes }: ProgramFile, memoryBytesMax: number): WebAssembly.Module {
  const invalid = (problem: string): StandaloneFault => new StandaloneFault("FILE_INVALID", `${path} ${problem}`);
  // With our flags functions are validated when they are called; a broken one shall be told of now.
  if (!WebAssembly.validate(bytes)) throw invalid("is a malformed core module; build it again");
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(capTables(capMemories(bytes, memoryBytesMax), guestLimitDefaults.tableEntriesMax));
  } catch (error) {
    if (error instanceof CapError) throw invalid(`cannot start: ${capAdvice(error)}`);
    throw invalid(`cannot be run: ${error instanceof Error ? error.message : String(error)}`);
  }
  const foreign = WebAssembly.Module.imports(module).find((imported) => imported.module !== preview1);
  if (foreign !== undefined) {
    throw invalid(
      `imports ${foreign.module} ${foreign.name}, and a core module gets ${preview1} only; build a component`,
    );
  }
  if (!WebAssembly.Module.exports(module).some(({ name }) => name === "_start")) {
    throw invalid("exports no _start, so it is no command; build it as a program, or as a component");
  }
  return module;
}
