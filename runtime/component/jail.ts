import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Clock, guestV8Flags } from "@shallop/sdk/internal";
import type { Cells } from "../sandbox/cell/cells.ts";
import { compileCacheMounts } from "../sandbox/cell/compile-cache.ts";
import { cellPid, type CellProcess } from "../sandbox/kernel/cell.ts";
import { answerBytesMax } from "./jail-protocol.ts";
import type { WantedPurpose } from "./requirements.ts";

export interface JailLimits {
  /** What the component is wanted for. */
  readonly purpose: WantedPurpose;
  readonly heapBytesMax: number;
  readonly residentBytesMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** How it is closed in. */
  readonly cells: Cells;
  /** Directory of Node's compile cache of our own programs, which is only read; undefined: there is none. */
  readonly compileCache: string | undefined;
}

export type JailResult =
  | { readonly ended: "ok"; readonly output: Buffer }
  /** Completes the sentence "it cannot be prepared: …". */
  | { readonly ended: "failed"; readonly reason: string };

export const jailProgram = fileURLToPath(new URL("prepare-main.ts", import.meta.url));
// V8 bounds its heap, but not linear memory and buffers: the resident size is looked at this often.
const residentCheckMs = 50;
// Of what the jail writes to stderr, for the message.
const stderrCharsMax = 2000;
const pageBytes = 4096;

/** With these alone does Node's compile cache fit: V8 keeps what it has compiled by its flags. */
export const jailNodeFlags = (heapBytesMax: number): readonly string[] => [
  ...guestV8Flags,
  `--max-old-space-size=${Math.floor(heapBytesMax / 2 ** 20)}`,
  "--no-warnings",
];

/**
 * Runs the preparing program on an open file, in a process of its own, closed in as this machine allows: no environment, no
 * network, no right to write files or to start programs, a user of its own. It is killed when it takes too long, too much memory, or writes too much.
 */
export async function runJail(componentFd: number, limits: JailLimits, signal: AbortSignal): Promise<JailResult> {
  signal.throwIfAborted();
  const { cells } = limits;
  const { closesCalls, tree } = cells.ability;
  const uid = cells.takeUser();
  // Where the file tree is not its own, it could write there.
  const compileCache = tree === "none" ? undefined : limits.compileCache;
  const child = cells.start({
    nodeArguments: [
      ...jailNodeFlags(limits.heapBytesMax),
      ...["--permission", "--allow-fs-read=*", "--allow-worker"],
      ...(closesCalls ? ["--allow-ffi"] : []),
      // Node reads a cache only that it may write. This one is mounted to be read.
      ...(compileCache === undefined ? [] : [`--allow-fs-write=${compileCache}`]),
      ...[jailProgram, limits.purpose],
      ...(closesCalls ? ["--close-calls"] : []),
    ],
    environment: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
    mounts: compileCache === undefined ? [] : await compileCacheMounts(compileCache, cells, uid),
    uid,
    network: "none",
    stdio: [componentFd, "pipe", "pipe"],
  });
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
    cells.releaseUser(uid);
  }
}

interface Collected {
  readonly output: Buffer;
  readonly stderr: string;
  readonly code: number | NodeJS.Signals | null;
}

function collect(child: CellProcess, kill: (reason: string) => void): Promise<Collected> {
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

async function checkMemory(child: CellProcess, bytesMax: number, kill: (reason: string) => void): Promise<void> {
  const pid = child.exitCode === null ? await cellPid(child) : undefined;
  if (pid === undefined) return;
  // proc_pid_statm(5): the second number is the resident size in pages. Gone = ended.
  const statm = await readFile(`/proc/${pid}/statm`, "utf8").catch(() => "");
  const residentBytes = Number(statm.split(" ")[1] ?? 0) * pageBytes;
  if (residentBytes > bytesMax) kill(`its preparation took more than ${bytesMax} bytes of memory`);
}

/** The line that names the error; Node prints the place before it and its version after it. */
function errorLine(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? "no message";
}
