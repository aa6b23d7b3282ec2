import { type FileHandle, open } from "node:fs/promises";
import { errorCode } from "@shallop/sdk/internal";
import { type LogEntry, parseLogLine } from "./log-line.ts";
import type { LogFile, PodLog } from "./pod-log.ts";

// Large enough that a scan for the tail of 10 MiB is 160 reads, small enough for hundreds of readers.
const blockBytes = 64 * 1024;
/** A stored line is at most 64 KiB of characters; one that is longer was not written by us, and is cut. */
const storedLineBytesMax = 4 * 64 * 1024 + 64;
const newline = 0x0a;

export interface CursorStart {
  /** The run before the current one. */
  readonly previous: boolean;
  /** Only the last so many lines. */
  readonly tailLines?: number;
}

/**
 * A reader's place in a pod's log. It reads through rotations without losing or repeating a line, as long as it is not
 * two whole files behind.
 */
export class LogCursor {
  /** How many lines lie ahead, when `tailLines` was given; else Infinity. */
  readonly linesAhead: number;
  readonly #log: PodLog;
  readonly #previous: boolean;
  #files: FileHandle[];
  #generation: number;
  #offset: number;
  #rest: Buffer = Buffer.alloc(0);
  #lines: string[] = [];
  #sawEnd = false;

  private constructor(
    log: PodLog,
    previous: boolean,
    place: { files: FileHandle[]; generation: number; offset: number; lines: number },
  ) {
    this.#log = log;
    this.#previous = previous;
    this.#files = place.files;
    this.#generation = place.generation;
    this.#offset = place.offset;
    this.linesAhead = place.lines;
  }

  static async open(log: PodLog, start: CursorStart): Promise<LogCursor> {
    await log.flush();
    const { files, generation } = await openTogether(log, () =>
      start.previous ? ["previous.log"] : ["current.log.1", "current.log"],
    );
    const place = await findTail(files, start.tailLines);
    return new LogCursor(log, start.previous, { ...place, generation });
  }

  /** The next line; undefined when there is none now. */
  async read(): Promise<LogEntry | undefined> {
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        const entry = parseLogLine(line);
        if (entry !== undefined) return entry;
      }
      if (!(await this.#fill())) return undefined;
    }
  }

  /** No line will follow what `read` has given. */
  get atEnd(): boolean {
    return this.#sawEnd;
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.splice(0).map((file) => file.close()));
  }

  /** Reads a block, from the next file if this one is done. False: nothing more now. */
  async #fill(): Promise<boolean> {
    for (;;) {
      // Asked before reading: what is written between the read and the end must still be read.
      const ended = this.#log.ended;
      const file = this.#files[0];
      if (file === undefined) {
        if (await this.#openNext()) continue;
        this.#sawEnd = ended || this.#previous;
        return false;
      }
      // Asked before reading: if the file was current then, all that it will ever have may not be in it yet.
      const superseded = this.#previous || this.#files.length > 1 || this.#generation !== this.#log.generation;
      const block = Buffer.alloc(blockBytes);
      const { bytesRead } = await file.read(block, 0, blockBytes, this.#offset);
      if (bytesRead > 0) {
        this.#offset += bytesRead;
        this.#split(block.subarray(0, bytesRead));
        return true;
      }
      if (!superseded) {
        this.#sawEnd = ended;
        return false;
      }
      await file.close();
      this.#files.shift();
      this.#offset = 0;
      this.#rest = Buffer.alloc(0);
    }
  }

  async #openNext(): Promise<boolean> {
    if (this.#previous) return false;
    const { files, generation } = await openTogether(this.#log, (now) =>
      // Rotated twice since the file that was read: the one between them comes first.
      now > this.#generation + 1 ? ["current.log.1", "current.log"] : ["current.log"],
    );
    if (files.length === 0) return false;
    this.#files = files;
    this.#generation = generation;
    this.#offset = 0;
    return true;
  }

  #split(block: Buffer): void {
    const bytes = this.#rest.length === 0 ? block : Buffer.concat([this.#rest, block]);
    let start = 0;
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
      this.#lines.push(bytes.toString("utf8", start, end));
      start = end + 1;
    }
    const rest = bytes.subarray(start);
    this.#rest = rest.length > storedLineBytesMax ? rest.subarray(0, storedLineBytesMax) : rest;
  }
}

/** Opens files that belong together: none was renamed meanwhile. */
async function openTogether(
  log: PodLog,
  names: (generation: number) => readonly LogFile[],
): Promise<{ files: FileHandle[]; generation: number }> {
  for (;;) {
    const generation = log.generation;
    const files = await openAll(log, names(generation));
    if (generation === log.generation) return { files, generation };
    await Promise.all(files.map((file) => file.close()));
  }
}

async function openAll(log: PodLog, names: readonly LogFile[]): Promise<FileHandle[]> {
  const files: FileHandle[] = [];
  for (const name of names) {
    try {
      files.push(await open(log.path(name), "r"));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") {
        await Promise.all(files.map((file) => file.close()));
        throw error;
      }
    }
  }
  return files;
}

/** Goes back over the files, the newest first, until `tailLines` lines are passed. */
async function findTail(
  files: FileHandle[],
  tailLines: number | undefined,
): Promise<{ files: FileHandle[]; offset: number; lines: number }> {
  if (tailLines === undefined) return { files, offset: 0, lines: Number.POSITIVE_INFINITY };
  let lines = 0;
  for (let index = files.length - 1; index >= 0; index--) {
    const file = files[index];
    if (file === undefined) continue;
    const found = await lastLines(file, tailLines - lines);
    lines += found.lines;
    if (lines < tailLines && index > 0) continue;
    await Promise.all(files.slice(0, index).map((older) => older.close()));
    return { files: files.slice(index), offset: found.offset, lines };
  }
  return { files, offset: 0, lines };
}

/** Where the last `wanted` lines of a file begin, and how many they are if there are fewer. */
async function lastLines(file: FileHandle, wanted: number): Promise<{ offset: number; lines: number }> {
  const { size } = await file.stat();
  if (wanted <= 0) return { offset: size, lines: 0 };
  let lines = 0;
  const block = Buffer.alloc(blockBytes);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - blockBytes);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      // The newline that ends the last line starts none.
      if (block[at] !== newline || start + at === size - 1) continue;
      lines++;
      if (lines === wanted) return { offset: start + at + 1, lines };
    }
    end = start;
  }
  return { offset: 0, lines: size === 0 ? 0 : lines + 1 };
}
