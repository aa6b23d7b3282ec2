import { type FileHandle, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Clock, guestV8Flags } from "@shallop/sdk/internal";
import type { Cells } from "../sandbox/cell/cells.ts";
import { compileCacheMounts } from "../sandbox/cell/compile-cache.ts";
import { cellPid, type CellProcess } from "../sandbox/kernel/cell.ts";
import { collectAnswer, type JailEnd } from "./jail-answer.ts";
import { JailFile } from "./jail-file.ts";
import type { WantedPurpose } from "./requirements.ts";

/** How a jail is started. */
export interface JailSettings {
  /** JavaScript heap. */
  readonly heapBytesMax: number;
  /** How it is closed in. */
  readonly cells: Cells;
  /** Directory of Node's compile cache of our own programs, which is only read; undefined: there is none. */
  readonly compileCache: string | undefined;
  /** Where there is room for a component; nothing is left there. */
  readonly directory: string;
}

/** What a jail does, and what it may use. */
export interface JailJob {
  /** What the component is wanted for. */
  readonly purpose: WantedPurpose;
  readonly residentBytesMax: number;
  /** What it makes, in bytes. */
  readonly filesBytesMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export type JailResult =
  /** `line`: its answer; `files`: what it has made, one after the other. */
  | { readonly ended: "ok"; readonly line: Buffer; readonly files: Buffer }
  /** Completes the sentence "it cannot be prepared: …". */
  | { readonly ended: "failed"; readonly reason: string };

export const jailProgram = fileURLToPath(new URL("prepare-main.ts", import.meta.url));
// V8 bounds its heap, but not linear memory and buffers: the resident size is looked at this often, and what it has written.
const residentCheckMs = 50;
const pageBytes = 4096;

/** With these alone does Node's compile cache fit: V8 keeps what it has compiled by its flags. */
export const jailNodeFlags = (heapBytesMax: number): readonly string[] => [
  ...guestV8Flags,
  `--max-old-space-size=${Math.floor(heapBytesMax / 2 ** 20)}`,
  "--no-warnings",
];

/**
 * A process for one component, closed in as this machine allows: no environment, no network, no right to write files or to
 * start programs, a user of its own. It has loaded its program before it is given the component, and waits for it. It is killed when
 * it takes too long, too much memory, or writes too much.
 */
export class Jail {
  readonly #child: CellProcess;
  readonly #input: JailFile;
  readonly #output: JailFile;
  readonly #collected: Promise<JailEnd>;
  #hasEnded = false;
  #isRunning = false;
  #killed: string | undefined;

  private constructor(
    child: CellProcess,
    { input, output }: { readonly input: JailFile; readonly output: JailFile },
    left: () => void,
  ) {
    this.#child = child;
    this.#input = input;
    this.#output = output;
    this.#collected = collectAnswer(child, (reason) => this.#kill(reason));
    this.#collected.catch(() => undefined);
    const ended = (): void => {
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      left();
      // What it has written may still be read.
      if (!this.#isRunning) void this.#closeFiles();
    };
    child.once("error", ended).once("close", ended);
    // It may end without reading: its exit code says why.
    child.stdin?.on("error", () => undefined);
  }

  static async start({ heapBytesMax, cells, compileCache, directory }: JailSettings): Promise<Jail> {
    const { closesCalls, tree } = cells.ability;
    const uid = cells.takeUser();
    // Where the file tree is not its own, it could write there.
    const cache = tree === "none" ? undefined : compileCache;
    const input = await JailFile.make(directory, "reads");
    const output = await JailFile.make(directory, "writes");
    const child = cells.start({
      nodeArguments: [
        ...jailNodeFlags(heapBytesMax),
        ...["--permission", "--allow-fs-read=*", "--allow-worker"],
        ...(closesCalls ? ["--allow-ffi"] : []),
        // Node reads a cache only that it may write. This one is mounted to be read.
        ...(cache === undefined ? [] : [`--allow-fs-write=${cache}`]),
        jailProgram,
        ...(closesCalls ? ["--close-calls"] : []),
      ],
      environment: cache === undefined ? {} : { NODE_COMPILE_CACHE: cache },
      mounts: cache === undefined ? [] : await compileCacheMounts(cache, cells, uid),
      uid,
      network: "none",
      stdio: ["pipe", "pipe", "pipe", input.descriptor, output.descriptor],
    });
    const jail = new Jail(child, { input, output }, () => cells.releaseUser(uid));
    await Promise.all([input.given(), output.given()]);
    return jail;
  }

  /** Whether it is still there. */
  get isWaiting(): boolean {
    return !this.#hasEnded && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Prepares the component that the file holds; once. */
  async run(component: FileHandle, job: JailJob, signal: AbortSignal): Promise<JailResult> {
    this.#isRunning = true;
    const onAbort = (): void => this.#kill("it was cancelled");
    signal.addEventListener("abort", onAbort, { once: true });
    const deadline = job.clock.after(job.timeoutMs, () => this.#kill(`it took longer than ${job.timeoutMs} ms`));
    const use = job.clock.every(residentCheckMs, () => void this.#checkUse(job));
    try {
      signal.throwIfAborted();
      if (!this.#hasEnded) await this.#give(component, job.purpose);
      const { line, stderr, code } = await this.#collected;
      await this.#checkFiles(job.filesBytesMax);
      signal.throwIfAborted();
      if (this.#killed !== undefined) return { ended: "failed", reason: this.#killed };
      if (code === 0) return { ended: "ok", line, files: await this.#output.contents(job.filesBytesMax) };
      return { ended: "failed", reason: `the preparing process ended with ${String(code)}: ${errorLine(stderr)}` };
    } finally {
      signal.removeEventListener("abort", onAbort);
      deadline.cancel();
      use.cancel();
      this.end();
      await this.#closeFiles();
    }
  }

  /** It is not needed, or no more. */
  end(): void {
    this.#kill("it was ended");
  }

  async #give(component: FileHandle, purpose: WantedPurpose): Promise<void> {
    await this.#input.fill(component);
    this.#child.stdin?.end(`${purpose}\n`);
  }

  async #closeFiles(): Promise<void> {
    await this.#input[Symbol.asyncDispose]();
    await this.#output[Symbol.asyncDispose]();
  }

  #kill(reason: string): void {
    this.#killed ??= reason;
    if (!this.#hasEnded) this.#child.kill("SIGKILL");
  }

  async #checkUse({ residentBytesMax, filesBytesMax }: JailJob): Promise<void> {
    // Nothing is looked at any more when the files are closed.
    await this.#checkFiles(filesBytesMax).catch(() => undefined);
    const pid = this.#child.exitCode === null ? await cellPid(this.#child) : undefined;
    if (pid === undefined) return;
    // proc_pid_statm(5): the second number is the resident size in pages. Gone = ended.
    const statm = await readFile(`/proc/${pid}/statm`, "utf8").catch(() => "");
    const residentBytes = Number(statm.split(" ")[1] ?? 0) * pageBytes;
    if (residentBytes > residentBytesMax) {
      this.#kill(`its preparation took more than ${residentBytesMax} bytes of memory`);
    }
  }

  async #checkFiles(bytesMax: number): Promise<void> {
    if ((await this.#output.size()) > bytesMax) this.#kill(`its preparation wrote more than ${bytesMax} bytes`);
  }
}

/** The line that names the error; Node prints the place before it and its version after it. */
function errorLine(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? "no message";
}
