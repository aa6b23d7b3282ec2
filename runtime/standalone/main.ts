// The process behind `shallop run`, `shallop serve` and `shallop inspect FILE.wasm`: wiring, and exit codes.
import { describeError, errorCode, systemClock } from "@shallop/sdk/internal";
import { GuestFault } from "../component/guest-fault.ts";
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

const voices = {
  print: (text: string) => void process.stdout.write(`${text}\n`),
  complain: (text: string) => complain(`shallop: ${text}`),
};

// The command line says where Node's cache of our own programs is; cells read it.
const compileCache = process.env["NODE_COMPILE_CACHE"];

const commands: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  run: async (args) => {
    const flags = parseRunFlags(args, process.env);
    const { run } = await import("./run.ts");
    const { limitTime } = await import("./time-limit.ts");
    return run(flags, {
      compileCache,
      ...voices,
      starting: () => {
        if (flags.timeoutMs !== undefined) limitTime(flags.timeoutMs, lateGuest(flags.timeoutMs));
      },
    });
  },
  serve: async (args) => {
    const flags = parseServeFlags(args, process.env);
    const stop = stopOnSignals(systemClock);
    const { serve } = await import("./serve.ts");
    const kill = (): void => void process.kill(process.pid, "SIGKILL");
    return serve(flags, { ...voices, compileCache, clock: systemClock, stop, kill });
  },
  "in-cell": async () => {
    const { runTask } = await import("./in-cell.ts");
    const { limitTime } = await import("./time-limit.ts");
    return runTask({
      ...voices,
      starting: (timeoutMs) => {
        if (timeoutMs !== undefined) limitTime(timeoutMs, lateGuest(timeoutMs), lateExitCode);
      },
    });
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
