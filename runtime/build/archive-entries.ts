import { createHash } from "node:crypto";
import { LayerBytes } from "../image/layer-bytes.ts";
import { type EntryType, LayerError } from "../image/tar-format.ts";
import { type ReadEntry, readTar } from "../image/tar-reader.ts";

// Loaded in the jail too, which may read nothing but the runtime: it imports only what needs no other workspace.

/** An entry of an archive, without its bytes. */
export interface IndexEntry {
  readonly path: string;
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly linkPath: string;
  readonly xattrs: readonly (readonly [string, string])[];
  /** SHA-256 of a file's bytes, as hex. */
  readonly hex?: string;
}

/** What is read of an archive at most: as when a node unpacks it. */
export const archiveBytesMax = 16 * 1024 ** 3;
export const entriesMax = 500_000;

/** An archive that is read once, from its compressed bytes. */
export class ArchiveEntries {
  readonly #bytes = new LayerBytes("sha256", archiveBytesMax);
  readonly #source: AsyncIterable<Buffer>;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source;
  }

  /** All entries, in its order. @throws LayerError LAYER_INVALID | TOO_LARGE */
  async *list(): AsyncGenerator<IndexEntry, void, undefined> {
    let count = 0;
    let fileBytes = 0;
    for await (const { entry, body } of readTar(this.#bytes.archive(this.#source))) {
      if (++count > entriesMax) throw new LayerError("TOO_LARGE", `it has more than ${entriesMax} entries`);
      const { path, type, mode, uid, gid, size, mtime, linkPath, xattrs } = entry;
      // Holes of sparse files cost no bytes of the archive.
      fileBytes += size;
      if (fileBytes > archiveBytesMax)
        throw new LayerError("TOO_LARGE", `its files have more than ${archiveBytesMax} bytes`);
      yield {
        ...{ path, type, mode, uid, gid, size, mtime, linkPath },
        xattrs: [...xattrs],
        ...(type === "file" ? { hex: await hexOf(wholeBody({ entry, body })) } : {}),
      };
    }
  }

  /** SHA-256 of the whole archive before compression, once it has been listed. */
  diffHex(): string {
    return this.#bytes.hex();
  }

  /** The files at some places of its order. @throws LayerError LAYER_INVALID | TOO_LARGE */
  async *pick(
    wanted: ReadonlySet<number>,
  ): AsyncGenerator<
    { readonly place: number; readonly size: number; readonly body: AsyncIterable<Buffer> },
    void,
    undefined
  > {
    let place = 0;
    let left = wanted.size;
    for await (const file of readTar(this.#bytes.archive(this.#source))) {
      const here = place++;
      if (!wanted.has(here)) continue;
      yield { place: here, size: file.entry.size, body: wholeBody(file) };
      if (--left === 0) return;
    }
  }
}

const zeros = Buffer.alloc(64 * 1024);

/** A file's bytes, the holes of a sparse one filled with zeros. */
async function* wholeBody({ entry, body }: ReadEntry): AsyncGenerator<Buffer, void, undefined> {
  if (entry.extents === undefined) {
    yield* body;
    return;
  }
  const pieces = body[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;
  for (const { offset, length } of [...entry.extents, { offset: entry.size, length: 0 }]) {
    for (; at < offset; at += Math.min(zeros.length, offset - at))
      yield zeros.subarray(0, Math.min(zeros.length, offset - at));
    for (const end = offset + length; at < end;) {
      if (rest.length === 0) {
        const next = await pieces.next();
        if (next.done === true) return;
        rest = next.value;
      }
      const piece = rest.subarray(0, end - at);
      yield piece;
      rest = rest.subarray(piece.length);
      at += piece.length;
    }
  }
}

async function hexOf(body: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of body) hash.update(piece);
  return hash.digest("hex");
}
