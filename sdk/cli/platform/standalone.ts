import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guestV8Flags } from "../../internal/guest-v8-flags.ts";
import type { Context } from "../context.ts";

/** Started by path: the SDK imports no other folder. */
const main = fileURLToPath(new URL("../../../runtime/standalone/main.ts", import.meta.url));

/** Flags that `run` and `serve` share, as the parser gives them. */
export interface GuestFlags {
  readonly dir: readonly string[];
  readonly env: readonly string[];
  readonly allowHost: readonly string[];
  readonly maxMemory?: string;
  readonly timeout?: string;
}

/** They are checked where they are used. */
export function guestArguments(context: Context, flags: GuestFlags): readonly string[] {
  return [
    ...["--cache", join(context.cacheDirectory, "prepared")],
    ...flags.dir.map((value) => `--dir=${value}`),
    ...flags.env.map((value) => `--env=${value}`),
    ...flags.allowHost.map((value) => `--allow-host=${value}`),
    ...(flags.maxMemory === undefined ? [] : [`--max-memory=${flags.maxMemory}`]),
    ...(flags.timeout === undefined ? [] : [`--timeout=${flags.timeout}`]),
  ];
}

// The program ends itself by this signal when its guest has overrun its time: timeout(1) and wasmtime say 124.
const timeoutExitCode = 124;
const signalsPassed = ["SIGINT", "SIGTERM", "SIGHUP"] as const satisfies readonly NodeJS.Signals[];

/**
 * Runs runtime/standalone in a process of its own, under the flags of V8 that guests need and with this process's
 * streams. @returns its exit code
 */
export function runStandalone(context: Context, args: readonly string[]): Promise<number> {
  const { child, ended } = start(context, args, { stdout: "inherit" });
  for (const signal of signalsPassed) process.on(signal, () => void child.kill(signal));
  return ended;
}

/** As `runStandalone`, for what it prints on standard output. The program may read files, and do nothing else. */
export async function readStandalone(
  context: Context,
  args: readonly string[],
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const { child, ended } = start(context, args, { stdout: "pipe", options: readOnly });
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const exitCode = await ended;
  return { exitCode, output: Buffer.concat(chunks).toString("utf8") };
}

// The worker is wasm-tools' own, which validates components.
// What a file may take of memory while it is read: as much as in a node's jail.
const readOnly = [
  "--max-old-space-size=1024",
  "--permission",
  "--allow-fs-read=*",
  "--allow-worker",
  "--disable-warning=SecurityWarning",
];

interface StartSettings {
  readonly stdout: "inherit" | "pipe";
  /** Of Node, beside those of V8. */
  readonly options?: readonly string[];
}

function start(context: Context, args: readonly string[], { stdout, options = [] }: StartSettings) {
  const nodeOptions = [...guestV8Flags, "--disable-warning=ExperimentalWarning", ...options];
  const child = spawn(process.execPath, [...nodeOptions, main, ...args], {
    // The channel tells the program when this process is gone.
    stdio: ["inherit", stdout, "inherit", "ipc"],
    env: { ...context.environment, NODE_COMPILE_CACHE: join(context.cacheDirectory, "compile") },
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? exitCodeOf(signal)));
  });
  return { child, ended };
}

/** As a shell says it. */
const exitCodeOf = (signal: NodeJS.Signals | null): number =>
  signal === "SIGALRM" ? timeoutExitCode : 128 + (signal === null ? 0 : constants.signals[signal]);
