import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { collectBytes, type Digest, ImageFault } from "@shallop/sdk/image";
import { assert } from "@shallop/sdk/internal";
import type { LayerErrorCode } from "../image/tar-format.ts";
import type { UnpackJail } from "../image/unpack-jail.ts";
import { entriesMax, type IndexEntry } from "./archive-entries.ts";
import { archiveFault, type ArchiveReader } from "./archive-reader.ts";

/** What the jail is to do; given as JSON in its arguments. */
export type ArchiveOrder = { readonly kind: "index" } | { readonly kind: "pick"; readonly places: readonly number[] };

/** What the jail says on descriptor 3 when it is done. */
export type ArchiveOutcome =
  | { readonly kind: "done"; readonly diffHex: string }
  | { readonly kind: "failed"; readonly code: LayerErrorCode; readonly message: string; readonly entries: number };

const program = join(import.meta.dirname, "read-archive-main.ts");
/** An outcome is one line. */
const outcomeBytesMax = 64 * 1024;
/** Of the list of all entries: some hundred bytes each; a header with attributes has up to a megabyte. */
const listBytesMax = 512 * 1024 ** 2;
/** Linux takes 128 KiB of one argument; more places than fit are picked in several readings. */
const placesMax = 10_000;

/** Reads archives in jails: a process each, that ends with it. */
export class JailedReader implements ArchiveReader {
  readonly #jail: UnpackJail;
  readonly #signal: AbortSignal;

  constructor(jail: UnpackJail, signal: AbortSignal) {
    this.#jail = jail;
    this.#signal = signal;
  }

  async index(archive: string): ReturnType<ArchiveReader["index"]> {
    const entries: IndexEntry[] = [];
    const outcome = await this.#run(archive, { kind: "index" }, async (bytes) => {
      for await (const line of lines(bytes)) {
        assert(entries.length < entriesMax, "the jail holds to the bound on entries");
        // Written by our own program; a jail that was taken over can say no more than an archive could.
        entries.push(JSON.parse(line) as IndexEntry);
      }
    });
    if (outcome.kind === "failed") {
      if (outcome.entries === 0 && outcome.code === "LAYER_INVALID") return undefined;
      throw archiveFault(archive, outcome.code, outcome.message);
    }
    if (entries.length === 0) return undefined;
    return { entries, diffId: `sha256:${outcome.diffHex}` as Digest };
  }

  async pick(archive: string, wanted: ReadonlySet<number>, pathOf: (place: number) => string): Promise<void> {
    const all = [...wanted].sort((a, b) => a - b);
    for (let at = 0; at < all.length; at += placesMax) {
      const places = all.slice(at, at + placesMax);
      const outcome = await this.#run(archive, { kind: "pick", places }, (bytes) => writeFiles(bytes, pathOf));
      if (outcome.kind === "failed") throw archiveFault(archive, outcome.code, outcome.message);
    }
  }

  async #run(
    archive: string,
    order: ArchiveOrder,
    consume: (bytes: AsyncIterable<Buffer>) => Promise<void>,
  ): Promise<ArchiveOutcome> {
    const { child } = await this.#jail.start({ program, order, readable: [] }, archive, this.#signal);
    try {
      const { stdout, stdio } = child;
      const reports = stdio[3];
      assert(stdout !== null && reports !== null && reports !== undefined, "the jail has an output and a report");
      child.stderr?.resume();
      const [consumed, reported] = await Promise.allSettled([
        consume(stdout),
        collectBytes(reports as Readable, outcomeBytesMax, "the jail's report"),
      ]);
      this.#signal.throwIfAborted();
      const text = reported.status === "fulfilled" ? new TextDecoder().decode(reported.value) : "";
      if (text === "") throw new ImageFault("LAYER_INVALID", `the process that reads ${archive} died`);
      const outcome = JSON.parse(text) as ArchiveOutcome;
      if (outcome.kind === "done" && consumed.status === "rejected") throw consumed.reason;
      return outcome;
    } finally {
      child.kill("SIGKILL");
    }
  }
}

async function* lines(source: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > listBytesMax)
      throw new ImageFault("TOO_LARGE", `the list of an archive has more than ${listBytesMax} bytes`);
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]).toString("utf8");
      parts = [];
      start = end + 1;
    }
    parts.push(chunk.subarray(start));
  }
}

/** `place size`, a line, then so many bytes; again and again. */
async function writeFiles(source: AsyncIterable<Buffer>, pathOf: (place: number) => string): Promise<void> {
  const chunks = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const next = await chunks.next();
    if (next.done === true) return false;
    rest = Buffer.concat([rest, next.value]);
    return true;
  };
  for (;;) {
    while (!rest.includes(10)) if (!(await more())) return;
    const end = rest.indexOf(10);
    const [place = -1, size = -1] = rest.toString("latin1", 0, end).split(" ").map(Number);
    assert(Number.isSafeInteger(place) && Number.isSafeInteger(size), "the jail says place and size");
    rest = rest.subarray(end + 1);
    await using file = await open(pathOf(place), "wx", 0o600);
    for (let left = size; left > 0;) {
      if (rest.length === 0 && !(await more()))
        throw new ImageFault("LAYER_INVALID", "a file of an archive was cut short");
      const piece = rest.subarray(0, left);
      await file.write(piece);
      left -= piece.length;
      rest = rest.subarray(piece.length);
    }
  }
}
