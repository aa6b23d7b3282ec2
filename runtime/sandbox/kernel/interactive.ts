import { type ChildProcess, spawn } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import type { TerminalSize } from "../../pod/container-process.ts";
import type { Clock } from "@shallop/sdk/internal";
import { checkCommand, KernelFault, systemPath } from "./command.ts";

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
  // script(1) makes the terminal, holds it and copies: it and stty(1) are on every Debian, and Node can make none.
  const child = terminal
    ? spawn("script", ["--quiet", "--return", "--flush", "--command", rawCommand(file, args), "/dev/null"], {
        cwd: "/",
        env: environment,
        stdio: [...pipe],
      })
    : spawn(file, [...args], { cwd: "/", env: environment, stdio: [...pipe] });
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

/** The outer terminal only carries bytes: the inner one, of the container, edits lines and turns keys into signals. */
const rawCommand = (file: string, args: readonly string[]): string =>
  `stty raw -echo; exec ${[file, ...args].map(quoted).join(" ")}`;

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * Sets the size of the terminal that script(1) has made, and of the one that the program has made for what it runs: runc
 * passes on what the kernel tells it, once it has ears for it, and crun does not.
 */
async function resize(
  child: ChildProcess,
  pidFile: string | undefined,
  size: TerminalSize,
  clock: Clock,
): Promise<void> {
  const outer = await eventually(() => terminalOf(child), child, clock);
  if (outer !== undefined) await setSize(outer, size);
  if (pidFile === undefined) return;
  const inner = await eventually(() => terminalNamedBy(pidFile), child, clock);
  if (inner !== undefined) await setSize(inner, size);
}

const setSize = (terminal: string, { columns, rows }: TerminalSize): Promise<unknown> =>
  checkCommand("stty", ["-F", terminal, "columns", String(columns), "rows", String(rows)]);

/** The terminal that script(1) has made for its child. */
async function terminalOf(child: ChildProcess): Promise<string | undefined> {
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").catch(() => "");
  const [first = ""] = children.trim().split(" ");
  const terminal = first === "" ? "" : await readlink(`/proc/${first}/fd/0`).catch(() => "");
  return terminal.startsWith("/dev/pts/") ? terminal : undefined;
}

/** By its descriptor: its path means something in the container only, and may be made to mean anything there. */
async function terminalNamedBy(pidFile: string): Promise<string | undefined> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  const terminal = await readlink(`/proc/${pid}/fd/0`).catch(() => "");
  return /^\/(dev\/pts\/)?\d+$|^\/dev\/console$/.test(terminal) ? `/proc/${pid}/fd/0` : undefined;
}

// Both are there within milliseconds.
const lookTries = 200;
const lookPauseMs = 5;

async function eventually(
  look: () => Promise<string | undefined>,
  child: ChildProcess,
  clock: Clock,
): Promise<string | undefined> {
  for (let attempt = 0; attempt < lookTries && child.exitCode === null && child.pid !== undefined; attempt++) {
    const found = await look();
    if (found !== undefined) return found;
    await clock.sleep(lookPauseMs);
  }
  return undefined;
}
