import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ContentStore,
  type Descriptor,
  type Digest,
  digestHex,
  ImageFault,
  type StoredLayer,
} from "@shallop/sdk/image";
import { LayerBytes } from "../image/layer-bytes.ts";
import { type EntryType, LayerError } from "../image/tar-format.ts";
import { type ReadEntry, readTar } from "../image/tar-reader.ts";

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
  /** Of a file's bytes. */
  readonly digest?: Digest;
}

/** What is read of an archive at most: as when a node unpacks it. */
export const archiveBytesMax = 16 * 1024 ** 3;
export const entriesMax = 500_000;

/** Lists an archive's entries in its order. @throws ImageFault LAYER_INVALID | TOO_LARGE */
export async function indexArchive(
  archive: AsyncIterable<Uint8Array>,
  what: string,
): Promise<{ readonly entries: readonly IndexEntry[]; readonly diffId: Digest }> {
  const bytes = new LayerBytes("sha256", archiveBytesMax);
  const entries: IndexEntry[] = [];
  let fileBytes = 0;
  await reading(archive, what, async (source) => {
    for await (const { entry, body } of readTar(bytes.archive(source))) {
      if (entries.length >= entriesMax) throw new LayerError("TOO_LARGE", `it has more than ${entriesMax} entries`);
      const { path, type, mode, uid, gid, size, mtime, linkPath, xattrs } = entry;
      // Holes of sparse files cost no bytes of the archive.
      fileBytes += size;
      if (fileBytes > archiveBytesMax)
        throw new LayerError("TOO_LARGE", `its files have more than ${archiveBytesMax} bytes`);
      entries.push({
        ...{ path, type, mode, uid, gid, size, mtime, linkPath },
        xattrs: [...xattrs],
        ...(entry.type === "file" ? { digest: await digestOfBody(wholeBody({ entry, body })) } : {}),
      });
    }
  });
  return { entries, diffId: `sha256:${bytes.hex()}` as Digest };
}

/** Gives `consume` the files at some places of an archive. @throws ImageFault LAYER_INVALID | TOO_LARGE */
export async function pickEntries(
  archive: AsyncIterable<Uint8Array>,
  what: string,
  wanted: ReadonlySet<number>,
  consume: (place: number, body: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  const bytes = new LayerBytes("sha256", archiveBytesMax);
  let place = 0;
  let left = wanted.size;
  await reading(archive, what, async (source) => {
    for await (const file of readTar(bytes.archive(source))) {
      if (wanted.has(place++)) {
        await consume(place - 1, wholeBody(file));
        if (--left === 0) return;
      }
    }
  });
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

async function digestOfBody(body: AsyncIterable<Buffer>): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const piece of body) hash.update(piece);
  return `sha256:${hash.digest("hex")}` as Digest;
}

/** Whether the first entry is one: what is only compressed is no archive. */
export async function isArchive(archive: AsyncIterable<Uint8Array>): Promise<boolean> {
  const bytes = new LayerBytes("sha256", archiveBytesMax);
  let found = false;
  try {
    await reading(archive, "", async (source) => {
      for await (const _ of readTar(bytes.archive(source))) {
        found = true;
        return;
      }
    });
  } catch (error) {
    if (!(error instanceof ImageFault)) throw error;
  }
  return found;
}

/** Closes what is read from, however far it was read. */
async function reading(
  archive: AsyncIterable<Uint8Array>,
  what: string,
  act: (source: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  const source = (archive as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    await act({ [Symbol.asyncIterator]: () => source });
  } catch (error) {
    if (!(error instanceof LayerError)) throw error;
    const code = error.code === "TOO_LARGE" ? "TOO_LARGE" : "LAYER_INVALID";
    throw new ImageFault(code, `${what} cannot be read: ${error.message}`, { cause: error });
  } finally {
    await source.return?.();
  }
}

/** Indexes of layers, each made once and kept. */
export class LayerIndexes {
  readonly #store: ContentStore;
  readonly #directory: string;
  readonly #known = new Map<Digest, Promise<readonly IndexEntry[]>>();

  constructor(store: ContentStore, directory: string) {
    this.#store = store;
    this.#directory = directory;
  }

  /** @throws ImageFault BLOB_UNKNOWN | LAYER_INVALID | TOO_LARGE | DIGEST_MISMATCH */
  entries(layer: StoredLayer): Promise<readonly IndexEntry[]> {
    const known = this.#known.get(layer.diffId);
    if (known !== undefined) return known;
    const made = this.#read(layer);
    this.#known.set(layer.diffId, made);
    made.catch(() => this.#known.delete(layer.diffId));
    return made;
  }

  async #read({ descriptor, diffId }: StoredLayer): Promise<readonly IndexEntry[]> {
    const path = join(this.#directory, `${digestHex(diffId)}.json`);
    const kept = await readFile(path, "utf8").catch(() => undefined);
    // Written by this program, whole or not at all, into a directory of this user's.
    if (kept !== undefined) return JSON.parse(kept) as readonly IndexEntry[];
    const what = `layer ${descriptor.digest}`;
    const found = await indexArchive(await this.archive(descriptor), what);
    if (found.diffId !== diffId)
      throw new ImageFault("DIGEST_MISMATCH", `${what} unpacks to ${found.diffId}, its image says ${diffId}`);
    await writeFile(`${path}.${process.pid}`, JSON.stringify(found.entries));
    await rename(`${path}.${process.pid}`, path);
    return found.entries;
  }

  archive(descriptor: Descriptor): Promise<AsyncIterable<Uint8Array>> {
    return this.#store.read(descriptor);
  }
}
