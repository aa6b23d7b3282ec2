import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { TerminalSize } from "../../pod/container-process.ts";
import type { Clock } from "@shallop/sdk/internal";
import { KernelFault, systemPath } from "./command.ts";
import { onTerminal, resizeTerminals } from "./terminal.ts";

/** A program whose streams somebody holds. */
export interface InteractiveProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Undefined with a terminal. */
  readonly stderr: Readable | undefined;
  /** Resolves with the exit code when the program has ended and its output was read; 128 + signal number after one. */
  readonly ended: Promise<number>;
  /** Nothing without a terminal. */
  resize(size: TerminalSize): Promise<void>;
  signal(signal: "SIGHUP" | "SIGKILL"): void;
}

const pipe = ["pipe", "pipe", "pipe"] as const;

export interface InteractiveProgram {
  readonly file: string;
  readonly args: readonly string[];
  /** Give it a pseudoterminal. */
  readonly terminal: boolean;
  /** Where the program writes the id of a process that it has given a terminal of its own. */
  readonly pidFile?: string;
}

/** Starts a program with its streams in our hands. */
export function startInteractive(
  { file, args, terminal, pidFile }: InteractiveProgram,
  clock: Clock,
): InteractiveProcess {
  const environment = { PATH: systemPath, LC_ALL: "C", SHELL: "/bin/sh" };
  const program = terminal ? onTerminal(file, args) : { file, args };
  const child = spawn(program.file, [...program.args], { cwd: "/", env: environment, stdio: [...pipe] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", (cause) =>
      reject(
        new KernelFault("COMMAND_MISSING", `cannot start ${terminal ? "script" : file}: is it installed?`, { cause }),
      ),
    );
    child.once("close", (code, signal) => resolve(code ?? (signal === "SIGKILL" ? 137 : 129)));
  });
  // Who started it may hear of its end later, or not at all.
  ended.catch(() => undefined);
  child.stdin.on("error", () => undefined);
  if (terminal) child.stderr.resume();
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: terminal ? undefined : child.stderr,
    ended,
    resize: (size) => (terminal ? resize(child, pidFile, size, clock) : Promise.resolve()),
    signal: (signal) => void child.kill(signal),
  };
}

async function resize(
  child: ChildProcess,
  pidFile: string | undefined,
  size: TerminalSize,
  clock: Clock,
): Promise<void> {
  if (child.pid === undefined) return;
  const isThere = async (): Promise<boolean> => child.exitCode === null;
  const terminals = { holder: child.pid, isThere, ...(pidFile === undefined ? {} : { pidFile }) };
  await resizeTerminals(terminals, size, clock);
}
