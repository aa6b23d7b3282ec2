import { CommanderError } from "commander";
import { describeError, errorCode } from "../internal/fault.ts";
import { createContext } from "./context.ts";
import { createProgram } from "./program.ts";

// Whoever read the output has seen enough (`shallop logs NAME | head`): there is nobody left to tell anything.
process.stdout.on("error", (error) => process.exit(errorCode(error) === "EPIPE" ? 0 : 1));

const context = createContext(process.env);
try {
  await createProgram(context).parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

/** Prints a failure as one sentence with its code; usage errors were printed by the parser already. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const code = errorCode(error);
  process.stderr.write(
    `${context.style.red("error:")} ${describeError(error)}${code === undefined ? "" : ` [${code}]`}\n`,
  );
  return code === "USAGE" || code === "FILTER_INVALID" ? 2 : 1;
}
