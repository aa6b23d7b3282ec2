// The first program in a cell: started in namespaces of its own, it builds the cell, gives up every right, and becomes
// the program that the cell is for. Its argument is a CellSpec in JSON.
import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import type { CellSpec } from "./cell-spec.ts";
import { cellFailedExitCode } from "./cell-spec.ts";
import { closeOpeningCalls } from "./close-system-calls.ts";
import { enterCell, execute } from "./enter-cell.ts";
import { Libc } from "./libc.ts";

try {
  // Now: it does not end, but becomes another program. Nothing is written where nothing was compiled anew.
  flushCompileCache();
  const libc = Libc.load();
  const spec = JSON.parse(process.argv[2] ?? "") as CellSpec;
  enterCell(libc, spec);
  if (spec.closesCalls) closeOpeningCalls(libc);
  execute(libc, spec);
} catch (error) {
  writeSync(2, `cell: ${error instanceof Error ? error.message : String(error)}\n`);
}
process.exit(cellFailedExitCode);
