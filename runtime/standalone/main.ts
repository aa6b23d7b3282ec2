// The process behind `shallop run`, `shallop serve` and `shallop inspect FILE.wasm`: wiring, and exit codes.
import { describeError, errorCode, systemClock } from "@shallop/sdk/internal";
import { GuestFault } from "../component/guest-fault.ts";
import { closeSystemCalls } from "../sandbox/kernel/close-system-calls.ts";
import type { ModuleTask } from "./module-cell.ts";
import { parseRunFlags, parseServeFlags } from "./flags.ts";
import { StandaloneFault } from "./standalone-fault.ts";
import { stopOnSignals } from "./stop-on-signals.ts";

// What a shell says of a program that was aborted (128 and the number of SIGABRT), and wasmtime of a trap.
const trapExitCode = 134;

// As timeout(1) has it; the command line makes it of SIGALRM, which the first process of a namespace cannot give itself.
const lateExitCode = 124;
const lateGuest = (timeoutMs: number): string =>
  `the guest did not end within ${timeoutMs} ms; give it more time with --timeout`;

const complain = (text: string): void => void process.stderr.write(`${text}\n`);

const commands: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  run: async (args) => {
    const flags = parseRunFlags(args, process.env);
    const { readProgram } = await import("./program-file.ts");
    const program = await readProgram(flags.file);
    const { limitTime } = await import("./time-limit.ts");
    const starting = (): void => {
      const { timeoutMs } = flags;
      if (timeoutMs === undefined) return;
      limitTime(timeoutMs, lateGuest(timeoutMs));
    };
    if (program.layer === "core-module") {
      const { runInCell, withoutCell } = await import("./module-cell.ts");
      const { standaloneCells } = await import("./standalone-cells.ts");
      const { compileModule, runModule } = await import("./run-module.ts");
      // What cannot be run is told without a cell.
      compileModule(program, flags.memoryBytesMax);
      const cells = await standaloneCells(flags.cacheDirectory);
      if (cells.ability.tree !== "none") return runInCell(program, flags, cells);
      complain(`shallop: ${withoutCell(program, flags, cells)}`);
      return runModule(program, flags, starting);
    }
    const { runComponent } = await import("./run-component.ts");
    return runComponent(program, { flags, clock: systemClock, starting });
  },
  // In a cell: see module-cell.ts.
  module: async ([text = ""]) => {
    const { file, path, flags, closesCalls } = JSON.parse(text) as ModuleTask;
    const { readProgram } = await import("./program-file.ts");
    const { limitTime } = await import("./time-limit.ts");
    const { runModule } = await import("./run-module.ts");
    const program = await readProgram(file);
    if (closesCalls) closeSystemCalls("module");
    return runModule({ ...program, path }, flags, () => {
      if (flags.timeoutMs === undefined) return;
      limitTime(flags.timeoutMs, lateGuest(flags.timeoutMs), lateExitCode);
    });
  },
  serve: async (args) => {
    const flags = parseServeFlags(args, process.env);
    const stop = stopOnSignals(systemClock);
    const { serve } = await import("./serve.ts");
    await serve(flags, {
      clock: systemClock,
      stop,
      print: (text) => void process.stdout.write(`${text}\n`),
      complain: (text) => complain(`shallop: ${text}`),
      kill: () => process.kill(process.pid, "SIGKILL"),
    });
    return 0;
  },
  inspect: async ([path = ""]) => {
    const { readProgram } = await import("./program-file.ts");
    const { inspect } = await import("./inspect.ts");
    const { limitTime } = await import("./time-limit.ts");
    const { prepareLimits } = await import("../component/prepare.ts");
    const { timeoutMs } = prepareLimits;
    limitTime(
      timeoutMs,
      `${path} took longer than ${timeoutMs} ms to look at; a node would give up its preparation too`,
    );
    process.stdout.write(`${JSON.stringify(await inspect(await readProgram(path)), undefined, 2)}\n`);
    return 0;
  },
};

// Whoever started this process is gone: nobody waits for it.
process.once("disconnect", () => process.exit(1));

const [name = "", ...args] = process.argv.slice(2);
let exitCode: number;
try {
  const command = commands[name];
  if (command === undefined) throw new StandaloneFault("USAGE", "name a command: run, serve or inspect");
  exitCode = await command(args);
} catch (error) {
  const code = errorCode(error);
  complain(`error: ${describeError(error)}${code === undefined ? "" : ` [${code}]`}`);
  exitCode = code === "USAGE" ? 2 : error instanceof GuestFault ? trapExitCode : 1;
}
process.exit(exitCode);
