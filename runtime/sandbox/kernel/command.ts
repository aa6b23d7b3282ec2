import { spawn } from "node:child_process";
import { assert, Fault } from "@shallop/sdk/internal";

export type KernelFaultCode =
  /** The program is not on this machine. Message names it. */
  | "COMMAND_MISSING"
  /** The program said no. Message carries what it wrote to stderr. */
  | "COMMAND_FAILED"
  /** The program did not end in time and was killed. */
  | "COMMAND_TIMEOUT";

/** A privileged act that did not succeed. */
export class KernelFault extends Fault<KernelFaultCode> {}

export interface CommandResult {
  /** Exit code; 128 + signal number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Written to its standard input. */
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** On top of PATH. Nothing of this process's environment is passed on: it may hold secrets. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gets what the program writes while it runs, instead of the result's stdout and stderr. */
  readonly onOutput?: (text: string) => void;
}

/** Where privileged programs are looked for; never the PATH of whoever started the node. */
export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What the programs called here print is a page of JSON at most: a thousand links are 700 KiB.
const outputBytesMax = 4 << 20;
// They do a few system calls each. Only a kernel lock held by something broken makes them slower than a second, or a machine that
// has no processor for them: to end one there would only have it begin again.
const defaultTimeoutMs = 60_000;

/** Runs a program to its end. Whatever its exit code, that is a result; @throws KernelFault COMMAND_MISSING, COMMAND_TIMEOUT */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  assert(timeoutMs > 0);
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], {
      cwd: options.cwd ?? "/",
      env: { PATH: systemPath, LC_ALL: "C", ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        if (options.onOutput !== undefined) options.onOutput(text);
        else if (output[name].length < outputBytesMax) output[name] += text;
      });
    }
    child.once("error", (cause) =>
      reject(new KernelFault("COMMAND_MISSING", `cannot start ${file}: is it installed?`, { cause })),
    );
    child.once("close", (code, signal) => {
      if (signal === "SIGKILL" && child.killed) {
        reject(new KernelFault("COMMAND_TIMEOUT", `${file} ${args.join(" ")} did not end within ${timeoutMs} ms`));
      } else resolve({ code: code ?? 128 + signalNumber(signal), ...output });
    });
    // A program may end without reading its input; its exit code says why.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/** As runCommand; @throws KernelFault COMMAND_FAILED too, when the exit code is not 0. Returns stdout. */
export async function checkCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await runCommand(file, args, options);
  if (result.code === 0) return result.stdout;
  const said = result.stderr.trim().slice(0, 2000);
  throw new KernelFault("COMMAND_FAILED", `${file} ${args.join(" ")} failed with code ${result.code}: ${said}`);
}

// The two that end programs here; others do not happen, and 0 makes a visible 128.
const signalNumber = (signal: NodeJS.Signals | null): number =>
  signal === "SIGKILL" ? 9 : signal === "SIGTERM" ? 15 : 0;
