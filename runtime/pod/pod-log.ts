import { renameSync, rmSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { assert, type Clock, errorCode, type Log, type Timer } from "@shallop/sdk/internal";
import { formatLogLine } from "./log-line.ts";
import type { PodLogLine } from "./pod-runtime.ts";

export interface LogBounds {
  /** One file; the kubelet's `containerLogMaxSize` is 10 MiB too. A run has at most two, and the run before it one. */
  readonly fileBytesMax: number;
  /** A longer line is cut here: a gateway's largest header fits, and a reader's memory is bounded. */
  readonly lineBytesMax: number;
  /** What a pod may write for long: 1 MiB/s fills a disk in days, not minutes, and costs the agent few per cent. */
  readonly rateBytesPerS: number;
  /** What a pod may write at once: a long stack trace or a start-up banner is never cut. */
  readonly burstBytesMax: number;
  /** Not yet in the file, when the disk is slow: the agent's memory must not grow with a guest's chatter. */
  readonly bufferBytesMax: number;
}

export const logBounds: LogBounds = {
  fileBytesMax: 10 * 1024 * 1024,
  lineBytesMax: 64 * 1024,
  rateBytesPerS: 1024 * 1024,
  burstBytesMax: 4 * 1024 * 1024,
  bufferBytesMax: 4 * 1024 * 1024,
};
assert(logBounds.lineBytesMax * 4 < logBounds.burstBytesMax, "a single line must never be lost to the rate limit");
assert(logBounds.bufferBytesMax <= logBounds.fileBytesMax, "one write must fit one file");

/** Whose log it is. */
export interface LogSubject {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  readonly service?: string;
  readonly revision?: string;
  /** A name: the log of the pod before that has it, of the same namespace, goes on in this one, and restarts begin no other. */
  readonly continued?: string;
  readonly openedWallMs: number;
}

export type LogFile = "current.log.1" | "current.log" | "previous.log";

export interface LogSettings {
  readonly bounds: LogBounds;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a pod that lost lines may stay silent before the log says so. */
const lossReportMs = 1000;

/**
 * The log of one pod: a directory with the run that is (`current.log`, and `current.log.1` rotated away) and the run
 * before it (`previous.log`). Nothing is made on disk before there is a first line. `append` never waits.
 */
export class PodLog {
  readonly directory: string;
  readonly subject: LogSubject;
  readonly #settings: LogSettings;
  readonly #waiters = new Set<() => void>();
  #handle: FileHandle | undefined;
  #fileBytes = 0;
  #pending: string[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> | undefined;
  #generation = 0;
  #closing = false;
  #ended = false;
  #written: boolean;
  #tokens: number;
  #refilledMs: number;
  #lostLines = 0;
  #lossTimer: Timer | undefined;

  /** `existing`: the directory was found at start, the log goes on. `before`: what it has is this one's from now on. */
  constructor(
    directory: string,
    subject: LogSubject,
    settings: LogSettings & { readonly existing: boolean; readonly before?: PodLog },
  ) {
    this.directory = directory;
    this.subject = subject;
    this.#settings = settings;
    this.#written = settings.existing;
    this.#tokens = settings.bounds.burstBytesMax;
    this.#refilledMs = settings.clock.nowMs();
    const { before } = settings;
    if (before === undefined) return;
    this.#writing = this.#takeOver(before);
    void this.#settle();
  }

  /** Rises when `current.log` becomes another file. */
  get generation(): number {
    return this.#generation;
  }

  /** No line will follow. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Has it ever had a line? */
  get written(): boolean {
    return this.#written;
  }

  append(line: PodLogLine): void {
    if (this.#closing) return;
    const { lineBytesMax, bufferBytesMax } = this.#settings.bounds;
    const cut = line.text.length > lineBytesMax;
    const text = formatLogLine(cut ? { ...line, text: line.text.slice(0, lineBytesMax), partial: true } : line);
    const bytes = Buffer.byteLength(text);
    if (!this.#spend(bytes) || this.#pendingBytes + bytes > bufferBytesMax) {
      this.#lostLines++;
      this.#lossTimer ??= this.#settings.clock.after(lossReportMs, () => this.#reportLoss());
      return;
    }
    if (this.#lostLines > 0) this.#reportLoss();
    this.#push(text, bytes);
    if (cut) this.append({ ...line, text: line.text.slice(lineBytesMax) });
  }

  /** The pod starts again: what was the current run becomes the previous one. */
  async beginRun(): Promise<void> {
    await this.flush();
    if (!this.#written || this.subject.continued !== undefined) return;
    this.#writing = (async () => {
      await this.#close();
      rmSync(this.path("current.log.1"), { force: true });
      this.#rotate("previous.log");
    })();
    await this.#settle();
  }

  /** Resolves when every line so far is in the file. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing.catch(() => undefined);
  }

  /** Resolves when something has changed: a line, a rotation, the end. Rejects with `signal.reason`. */
  changed(signal: AbortSignal): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(done);
        reject(signal.reason as Error);
      };
      const done = (): void => {
        this.#waiters.delete(done);
        signal.removeEventListener("abort", abort);
        resolve();
      };
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      this.#waiters.add(done);
    });
  }

  async end(): Promise<void> {
    if (this.#lostLines > 0) this.#reportLoss();
    this.#closing = true;
    this.#lossTimer?.cancel();
    await this.flush();
    await this.#close();
    this.#ended = true;
    this.#wake();
  }

  path(file: LogFile): string {
    return path.join(this.directory, file);
  }

  #spend(bytes: number): boolean {
    const { rateBytesPerS, burstBytesMax } = this.#settings.bounds;
    const nowMs = this.#settings.clock.nowMs();
    this.#tokens = Math.min(burstBytesMax, this.#tokens + ((nowMs - this.#refilledMs) / 1000) * rateBytesPerS);
    this.#refilledMs = nowMs;
    // Who floods loses half a second at a time, and not a line of every few: what is kept can be read, and losses are told twice a second.
    const wanted = this.#lostLines > 0 ? Math.max(bytes, Math.min(rateBytesPerS, burstBytesMax) / 2) : bytes;
    if (this.#tokens < wanted) return false;
    this.#tokens -= bytes;
    return true;
  }

  #reportLoss(): void {
    this.#lossTimer?.cancel();
    this.#lossTimer = undefined;
    const { rateBytesPerS } = this.#settings.bounds;
    const text = formatLogLine({
      wallMs: this.#settings.clock.wallMs(),
      stream: "stderr",
      text: `shallop: ${String(this.#lostLines)} lines lost here: more than ${String(rateBytesPerS)} bytes a second`,
      partial: false,
    });
    this.#lostLines = 0;
    this.#push(text, Buffer.byteLength(text));
  }

  #push(text: string, bytes: number): void {
    this.#pending.push(text);
    this.#pendingBytes += bytes;
    if (this.#writing === undefined) {
      this.#writing = this.#write();
      void this.#settle();
    }
  }

  /** Waits for the write under way and forgets it; begins the next if lines have come meanwhile. */
  async #settle(): Promise<void> {
    try {
      await this.#writing;
    } catch (error) {
      // A full disk must not stop the pod: what could not be stored is lost, and said.
      this.#settings.log.warn("log lines could not be stored", { pod: this.subject.pod, error: String(error) });
      await this.#close().catch(() => undefined);
    }
    this.#writing = undefined;
    this.#wake();
    if (this.#pending.length > 0) {
      this.#writing = this.#write();
      void this.#settle();
    }
  }

  async #write(): Promise<void> {
    const chunk = Buffer.from(this.#pending.join(""));
    this.#pending = [];
    this.#pendingBytes = 0;
    if (this.#handle !== undefined && this.#fileBytes + chunk.length > this.#settings.bounds.fileBytesMax) {
      await this.#close();
      this.#rotate("current.log.1");
    }
    this.#handle ??= await this.#open();
    await this.#handle.writeFile(chunk);
    this.#fileBytes += chunk.length;
  }

  async #takeOver(before: PodLog): Promise<void> {
    await before.end();
    if (!before.written) return;
    await rename(before.directory, this.directory);
    await this.#writeSubject();
    this.#written = true;
  }

  #writeSubject(): Promise<void> {
    return writeFile(path.join(this.directory, "subject.json"), JSON.stringify(this.subject));
  }

  /** Synchronous, so that no reader sees the files renamed and the generation not yet risen. */
  #rotate(to: LogFile): void {
    try {
      renameSync(this.path("current.log"), this.path(to));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
    this.#generation++;
  }

  async #open(): Promise<FileHandle> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    if (!this.#written) await this.#writeSubject();
    this.#written = true;
    const handle = await open(this.path("current.log"), "a+", 0o600);
    this.#fileBytes = (await handle.stat()).size;
    await endTornLine(handle, this.#fileBytes);
    return handle;
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#fileBytes = 0;
    await handle?.close();
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
  }
}

/** After a crash in mid-write the file ends within a line; the next line must not become part of it. */
async function endTornLine(handle: FileHandle, size: number): Promise<void> {
  if (size === 0) return;
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, size - 1);
  if (last[0] !== 0x0a) await handle.writeFile("\n");
}

/** Bytes of the log's files on disk. */
export async function logBytes(log: PodLog): Promise<number> {
  const files: readonly LogFile[] = ["current.log", "current.log.1", "previous.log"];
  const sizes = await Promise.all(
    files.map((file) =>
      stat(log.path(file)).then(
        (s) => s.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
