import { spawn, type ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Clock, guestV8Flags } from "@shallop/sdk/internal";
import { answerBytesMax } from "./jail-protocol.ts";
import type { Purpose } from "./requirements.ts";

export interface JailLimits {
  /** What the component is wanted for. */
  readonly purpose: Purpose;
  readonly heapBytesMax: number;
  readonly residentBytesMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export type JailResult =
  | { readonly ended: "ok"; readonly output: Buffer }
  /** Completes the sentence "it cannot be prepared: …". */
  | { readonly ended: "failed"; readonly reason: string };

const program = fileURLToPath(new URL("prepare-main.ts", import.meta.url));
// V8 bounds its heap, but not linear memory and buffers: the resident size is looked at this often.
const residentCheckMs = 50;
// Of what the jail writes to stderr, for the message.
const stderrCharsMax = 2000;
const pageBytes = 4096;

/**
 * Runs the preparing program on an open file, in a process of its own: no environment, no right to write files or to
 * start programs. It is killed when it takes too long, too much memory, or writes too much.
 */
export async function runJail(componentFd: number, limits: JailLimits, signal: AbortSignal): Promise<JailResult> {
  signal.throwIfAborted();
  const child = spawn(
    process.execPath,
    [
      ...guestV8Flags,
      `--max-old-space-size=${Math.floor(limits.heapBytesMax / 2 ** 20)}`,
      "--permission",
      "--allow-fs-read=*",
      "--allow-worker",
      "--no-warnings",
      program,
      limits.purpose,
    ],
    { env: {}, cwd: "/", stdio: [componentFd, "pipe", "pipe"] },
  );
  let killed: string | undefined;
  const kill = (reason: string): void => {
    killed ??= reason;
    child.kill("SIGKILL");
  };
  const onAbort = (): void => kill("it was cancelled");
  signal.addEventListener("abort", onAbort, { once: true });
  const deadline = limits.clock.after(limits.timeoutMs, () => kill(`it took longer than ${limits.timeoutMs} ms`));
  const memory = limits.clock.every(residentCheckMs, () => void checkMemory(child, limits.residentBytesMax, kill));
  try {
    const { output, stderr, code } = await collect(child, kill);
    signal.throwIfAborted();
    if (killed !== undefined) return { ended: "failed", reason: killed };
    if (code === 0) return { ended: "ok", output };
    return { ended: "failed", reason: `the preparing process ended with ${String(code)}: ${errorLine(stderr)}` };
  } finally {
    signal.removeEventListener("abort", onAbort);
    deadline.cancel();
    memory.cancel();
  }
}

interface Collected {
  readonly output: Buffer;
  readonly stderr: string;
  readonly code: number | NodeJS.Signals | null;
}

function collect(child: ChildProcess, kill: (reason: string) => void): Promise<Collected> {
  const chunks: Buffer[] = [];
  let outputBytes = 0;
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    outputBytes += chunk.length;
    if (outputBytes > answerBytesMax) kill(`its preparation wrote more than ${answerBytesMax} bytes`);
    else chunks.push(chunk);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString("utf8")).slice(-stderrCharsMax);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signalName) => {
      resolve({ output: Buffer.concat(chunks), stderr, code: code ?? signalName });
    });
  });
}

async function checkMemory(child: ChildProcess, bytesMax: number, kill: (reason: string) => void): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return;
  // proc_pid_statm(5): the second number is the resident size in pages. Gone = ended.
  const statm = await readFile(`/proc/${child.pid}/statm`, "utf8").catch(() => "");
  const residentBytes = Number(statm.split(" ")[1] ?? 0) * pageBytes;
  if (residentBytes > bytesMax) kill(`its preparation took more than ${bytesMax} bytes of memory`);
}

/** The line that names the error; Node prints the place before it and its version after it. */
function errorLine(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? "no message";
}
