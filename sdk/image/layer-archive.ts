import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { createGzip } from "node:zlib";
import type { Header, Pack } from "tar-stream";
import { type ContentStore, fileBytes, storing } from "./content-store.ts";
import { compressionOf, decompressed, through } from "./decompress.ts";
import { Digester, type Digest } from "./digest.ts";
import { ImageFault } from "./fault.ts";
import type { Descriptor } from "./manifest.ts";
import { mediaType } from "./media-types.ts";

/** A layer in the store, with the digest of its archive before compression. */
export interface StoredLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** Part of the bytes of an image, and so of its digest: never change it. */
const gzipLevel = 6;
/** Directories in directories; a link that makes a circle is not followed, so this is only against absurdity. */
const depthMax = 200;

/**
 * Makes a layer of a directory: the same files give the same bytes, whoever packs them. Names are sorted, owners are
 * root, times are `mtimeMs`, and of the mode only "may be executed" counts, because the rest depends on the umask.
 *
 * @throws ImageFault LAYER_INVALID for a socket, device or pipe | STORE_FAILED
 */
export async function packDirectory(store: ContentStore, directory: string, mtimeMs: number): Promise<StoredLayer> {
  // Only who builds images needs it.
  const { pack } = await import("tar-stream");
  const archive = pack();
  const mtime = new Date(mtimeMs);
  const filled = fill({ archive, root: directory, mtime }, "", 0)
    .then(() => archive.finalize())
    .catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  const stored = await storeArchive(store, archive as unknown as AsyncIterable<Uint8Array>);
  await filled;
  return stored;
}

interface Packing {
  readonly archive: Pack;
  readonly root: string;
  readonly mtime: Date;
}

async function fill(packing: Packing, below: string, depth: number): Promise<void> {
  if (depth > depthMax) throw new ImageFault("TOO_LARGE", `${below} is deeper than ${depthMax} directories`);
  const directory = join(packing.root, below);
  const names = await storing(`reading ${directory}`, () => readdir(directory));
  // By code unit, not by locale: the order must be the same everywhere.
  for (const name of names.sort((a, b) => (a < b ? -1 : 1))) {
    await addEntry(packing, below === "" ? name : `${below}/${name}`, depth);
  }
}

async function addEntry(packing: Packing, name: string, depth: number): Promise<void> {
  const path = join(packing.root, name);
  const found = await storing(`reading ${path}`, () => lstat(path));
  const common = { uid: 0, gid: 0, mtime: packing.mtime } as const;
  if (found.isDirectory()) {
    await entry(packing.archive, { ...common, name: `${name}/`, type: "directory", mode: 0o755 });
    await fill(packing, name, depth + 1);
  } else if (found.isSymbolicLink()) {
    const linkname = await storing(`reading ${path}`, () => readlink(path));
    await entry(packing.archive, { ...common, name, type: "symlink", mode: 0o777, linkname });
  } else if (found.isFile()) {
    const mode = (found.mode & 0o111) === 0 ? 0o644 : 0o755;
    await entry(packing.archive, { ...common, name, type: "file", mode, size: found.size }, path);
  } else {
    throw new ImageFault("LAYER_INVALID", `${path} is neither file, directory nor symbolic link; leave it out`);
  }
}

type EntryHeader = Partial<Header> & Pick<Header, "name">;
type EntrySink = ReturnType<Pack["entry"]>;

function entry(archive: Pack, header: EntryHeader, path?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const changed = (error: unknown): void =>
      reject(new ImageFault("LAYER_INVALID", `${header.name} changed while it was packed`, { cause: error }));
    const sink = archive.entry(header, (error) => {
      if (error === null || error === undefined) resolve();
      else changed(error);
    });
    if (path === undefined) sink.end(undefined);
    else feed(sink, path).catch(changed);
  });
}

async function feed(sink: EntrySink, path: string): Promise<void> {
  for await (const chunk of fileBytes(path)) {
    if (!sink.write(chunk)) await new Promise((resolve) => sink.once("drain", () => resolve(undefined)));
  }
  sink.end(undefined);
}

/** Stores an archive, compressed with gzip, which every reader of images knows. */
export async function storeArchive(store: ContentStore, archive: AsyncIterable<Uint8Array>): Promise<StoredLayer> {
  const uncompressed = new Digester();
  const stored = await store.ingestUnnamed(gzip(counted(archive, uncompressed)));
  const descriptor = { mediaType: mediaType.layerTarGzip, digest: stored.digest, size: stored.sizeBytes };
  return { descriptor, diffId: uncompressed.digest() };
}

/**
 * Stores a layer from an archive in a file: one that is compressed with gzip stays as it is, one with zstd is compressed
 * anew, because not every reader of images knows it.
 * @throws ImageFault LAYER_INVALID when it is no whole archive
 */
export async function storeArchiveFile(store: ContentStore, path: string): Promise<StoredLayer> {
  const head = await storing(`reading ${path}`, () => collectHead(path));
  if (compressionOf(head) !== "gzip") return storeArchive(store, archiveIn(path));
  const uncompressed = new Digester();
  for await (const chunk of archiveIn(path)) uncompressed.update(chunk);
  const stored = await store.ingestUnnamed(fileBytes(path));
  const descriptor = { mediaType: mediaType.layerTarGzip, digest: stored.digest, size: stored.sizeBytes };
  return { descriptor, diffId: uncompressed.digest() };
}

async function collectHead(path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of fileBytes(path, { start: 0, end: 4 })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The archive in a file. @throws ImageFault LAYER_INVALID when it is none: no node could unpack it */
async function* archiveIn(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  let first = Buffer.alloc(0);
  try {
    for await (const chunk of decompressed(fileBytes(path))) {
      if (first.length < tarBlockBytes) {
        first = Buffer.concat([first, chunk.subarray(0, tarBlockBytes - first.length)]);
        if (first.length === tarBlockBytes && !isTarHeader(first)) break;
      }
      yield chunk;
    }
  } catch (error) {
    if (error instanceof ImageFault) throw error;
    throw new ImageFault("LAYER_INVALID", `${path} is not a whole compressed file`, { cause: error });
  }
  if (first.length === 0 || (first.length === tarBlockBytes && isTarHeader(first))) return;
  throw new ImageFault("LAYER_INVALID", `${path} is no tar archive, nor one that gzip or zstd has compressed`);
}

const tarBlockBytes = 512;

/** POSIX, "pax Interchange Format": the sum of a header's bytes stands in it. A block of zeros is the end of an empty archive. */
function isTarHeader(block: Buffer): boolean {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  return Number.parseInt(block.toString("latin1", 148, 156), 8) === sum || block.every((byte) => byte === 0);
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  digester: Digester,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    digester.update(chunk);
    yield chunk;
  }
}

async function* gzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let first = true;
  for await (const chunk of through(source, createGzip({ level: gzipLevel }))) {
    // RFC 1952, 2.3: byte 9 names the operating system, which zlib writes. 255 is "unknown".
    if (first && chunk.length > 9) chunk[9] = 0xff;
    first = false;
    yield chunk;
  }
}
