import { createReadStream, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode, type Random, systemRandom } from "@shallop/sdk/internal";
import {
  checkDigester,
  type Digest,
  digestAlgorithm,
  Digester,
  digestHex,
  type Expected,
  isDigest,
  isDigestAlgorithm,
  verified,
} from "./digest.ts";
import { ImageFault } from "./fault.ts";
import { PieceWriter } from "./piece-writer.ts";
import { type Descriptor, manifestBytesMax, parseManifest, referencesOf } from "./manifest.ts";

/** Per read: large enough that a layer takes few calls, small enough for many readers at once. */
const readBytes = 256 * 1024;
/** Some are written while others wait: as much as takes a millisecond. */
const atOnceBytesMax = 2 * 1024 * 1024;

export interface BlobInfo {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** When it was written, milliseconds since the epoch. */
  readonly writtenMs: number;
}

export interface BlobRange {
  readonly start: number;
  /** First byte that is not read. */
  readonly end: number;
}

export interface ContentStoreOptions {
  readonly random?: Random;
  /**
   * Whether what was stored survives a loss of power; true unless said. Otherwise a blob may be cut short then: for what can be made again, and
   * whose digest is looked at when it is read.
   */
  readonly lasts?: boolean;
}

/**
 * Blobs by digest in a directory, laid out as in the OCI image layout (`blobs/sha256/<hex>`). A blob has its name only
 * when all its bytes were verified and are on the disk: it is written beside, synced, and renamed. So whatever is
 * killed when, a reader finds the whole blob or none. Any number of processes may use one directory.
 */
export class ContentStore {
  readonly #directory: string;
  readonly #random: Random;
  readonly #lasts: boolean;

  private constructor(directory: string, { random = systemRandom, lasts = true }: ContentStoreOptions) {
    this.#directory = directory;
    this.#random = random;
    this.#lasts = lasts;
  }

  /** @throws ImageFault STORE_FAILED when the directory cannot be made */
  static async open(directory: string, options: ContentStoreOptions = {}): Promise<ContentStore> {
    return storing(`opening the store ${directory}`, async () => {
      await mkdir(join(directory, "blobs", "sha256"), { recursive: true });
      await mkdir(join(directory, "ingest"), { recursive: true });
      return new ContentStore(directory, options);
    });
  }

  /** Where the blob is, or would be. Only for reading. */
  path(digest: Digest): string {
    return join(this.#directory, "blobs", digestAlgorithm(digest), digestHex(digest));
  }

  async info(digest: Digest): Promise<BlobInfo | undefined> {
    try {
      const found = await stat(this.path(digest));
      return found.isFile() ? { digest, sizeBytes: found.size, writtenMs: found.mtimeMs } : undefined;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw storeFault(`looking for ${digest}`, error);
    }
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.info(digest)) !== undefined;
  }

  /**
   * Stores what `source` gives, if it has the expected digest and size. Nothing is kept otherwise. A blob that is there
   * already is left as it is, and `source` is not read.
   *
   * @throws ImageFault DIGEST_MISMATCH | SIZE_MISMATCH | STORE_FAILED, and what `source` throws
   */
  async ingest(source: AsyncIterable<Uint8Array>, expected: Expected, signal?: AbortSignal): Promise<BlobInfo> {
    const present = await this.info(expected.digest);
    if (present !== undefined && (expected.size === undefined || expected.size === present.sizeBytes)) return present;
    return this.#write(async (write) => {
      for await (const chunk of verified(source, expected, `blob ${expected.digest}`)) {
        signal?.throwIfAborted();
        await write(chunk);
      }
      return expected.digest;
    });
  }

  /** Stores bytes whose digest nobody knows yet, and says what it is. @throws ImageFault STORE_FAILED */
  async ingestUnnamed(source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<BlobInfo> {
    return this.#write(async (write) => {
      const digester = new Digester();
      for await (const chunk of source) {
        signal?.throwIfAborted();
        digester.update(chunk);
        await write(chunk);
      }
      return digester.digest();
    });
  }

  async put(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const stored = await this.ingestUnnamed(once(bytes));
    return { mediaType, digest: stored.digest, size: bytes.length };
  }

  /**
   * Stores bytes that are at hand, unless they are there. Where nobody waits for the disk, few of them are written at once: turns through
   * the threads that read and write files take longer.
   *
   * @param digest theirs: the caller has just computed or checked it
   * @throws ImageFault STORE_FAILED
   */
  async putBytes(bytes: Uint8Array, digest: Digest): Promise<BlobInfo> {
    const present = await this.info(digest);
    if (present?.sizeBytes === bytes.length) return present;
    if (this.#lasts || bytes.length > atOnceBytesMax) {
      return this.#write(async (write) => {
        await write(bytes);
        return digest;
      });
    }
    return storing(`storing ${digest}`, async () => this.#writeAtOnce(bytes, digest));
  }

  /**
   * Takes over a complete file of the same file system, if it has the expected digest. The file is gone afterwards,
   * unless it was refused.
   *
   * @param hashed what saw every byte of the file on its way there; without it the file is read again
   * @throws ImageFault DIGEST_MISMATCH | SIZE_MISMATCH | STORE_FAILED
   */
  async adopt(path: string, expected: Expected, hashed?: Digester): Promise<BlobInfo> {
    const digester = hashed ?? new Digester(digestAlgorithm(expected.digest));
    if (hashed === undefined) {
      await storing(`reading ${path}`, async () => {
        for await (const chunk of fileBytes(path)) digester.update(chunk);
      });
    }
    checkDigester(digester, expected, `blob ${expected.digest}`);
    return storing(`storing ${expected.digest}`, async () => {
      await using file = await open(path, "r+");
      await this.#publish(file, path, expected.digest);
      return { digest: expected.digest, sizeBytes: digester.size, writtenMs: (await file.stat()).mtimeMs };
    });
  }

  /** Counts a blob as written now, so that `sweep` spares it. Nothing happens when there is none. */
  async touch(digest: Digest, wallMs: number): Promise<void> {
    try {
      await utimes(this.path(digest), wallMs / 1000, wallMs / 1000);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw storeFault(`touching ${digest}`, error);
    }
  }

  /**
   * Reads a blob. The size is checked against the descriptor before the first byte: what was cut short by the file
   * system is never served.
   *
   * @throws ImageFault BLOB_UNKNOWN | SIZE_MISMATCH
   */
  async read(blob: Expected, range?: BlobRange): Promise<AsyncIterable<Uint8Array>> {
    const info = await this.info(blob.digest);
    if (info === undefined) throw new ImageFault("BLOB_UNKNOWN", `the store ${this.#directory} has no ${blob.digest}`);
    if (blob.size !== undefined && info.sizeBytes !== blob.size) {
      throw new ImageFault(
        "SIZE_MISMATCH",
        `${blob.digest} has ${info.sizeBytes} bytes in the store, promised were ${blob.size}`,
      );
    }
    const { start, end } = range ?? { start: 0, end: info.sizeBytes };
    if (start >= end) return once(new Uint8Array());
    return fileBytes(this.path(blob.digest), { start, end });
  }

  /** All bytes of a small blob, verified again. @throws ImageFault BLOB_UNKNOWN | SIZE_MISMATCH | DIGEST_MISMATCH | TOO_LARGE */
  async readBytes(blob: Expected, bytesMax = manifestBytesMax): Promise<Uint8Array> {
    const stream = await this.read(blob);
    return collectBytes(verified(stream, blob, `blob ${blob.digest}`), bytesMax, `blob ${blob.digest}`);
  }

  /**
   * Has one file on the disk for a blob that the store in `directory` has, too. Files of blobs are never written again, and
   * each store removes its own name alone. What is not in both, or is on another file system, stays as it is.
   */
  async shareWith(directory: string, digest: Digest): Promise<void> {
    const [own, other] = [this.path(digest), new ContentStore(directory, {}).path(digest)];
    const [mine, theirs] = await Promise.all([own, other].map((path) => stat(path).catch(() => undefined)));
    if (mine === undefined || theirs === undefined || mine.size !== theirs.size) return;
    if (mine.dev !== theirs.dev || mine.ino === theirs.ino) return;
    const beside = join(this.#directory, "ingest", this.#random.uuid());
    try {
      await link(other, beside);
      await rename(beside, own);
    } catch (error) {
      if (!["ENOENT", "EXDEV", "EPERM", "EMLINK"].includes(errorCode(error) ?? ""))
        throw storeFault(`sharing ${digest}`, error);
    } finally {
      await rm(beside, { force: true });
    }
  }

  /** Removes a blob; false when there was none. */
  async remove(digest: Digest): Promise<boolean> {
    if (!(await this.has(digest))) return false;
    await storing(`removing ${digest}`, () => rm(this.path(digest), { force: true }));
    return true;
  }

  async *list(): AsyncGenerator<BlobInfo, void, undefined> {
    const blobs = join(this.#directory, "blobs");
    for (const algorithm of await readdir(blobs)) {
      if (!isDigestAlgorithm(algorithm)) continue;
      for (const hex of await readdir(join(blobs, algorithm))) {
        const digest = `${algorithm}:${hex}`;
        const info = isDigest(digest) ? await this.info(digest) : undefined;
        if (info !== undefined) yield info;
      }
    }
  }

  /**
   * Removes every blob that no root reaches. A root that is a manifest reaches its config, layers and children.
   * What was written after `keepSinceMs` stays: the manifest that will name it may still be on its way.
   */
  async collect(options: {
    readonly roots: Iterable<Digest>;
    readonly keepSinceMs: number;
  }): Promise<{ readonly removed: number; readonly removedBytes: number }> {
    const kept = new Set<Digest>();
    const open = [...options.roots];
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      if (kept.has(digest)) continue;
      kept.add(digest);
      open.push(...(await this.#reachedFrom(digest)));
    }
    return this.sweep({ kept, keepSinceMs: options.keepSinceMs, alone: (act) => act() });
  }

  /**
   * Removes every blob that is not kept and was written before `keepSinceMs`. The time is looked at again when nobody
   * else can change it: who claims a blob touches it.
   *
   * @param options.alone runs an act while nobody claims a blob
   */
  async sweep(options: {
    readonly kept: ReadonlySet<Digest>;
    readonly keepSinceMs: number;
    readonly alone: <Value>(act: () => Promise<Value>) => Promise<Value>;
  }): Promise<{ readonly removed: number; readonly removedBytes: number }> {
    let removed = 0;
    let removedBytes = 0;
    for await (const blob of this.list()) {
      if (options.kept.has(blob.digest) || blob.writtenMs >= options.keepSinceMs) continue;
      await options.alone(async () => {
        const now = await this.info(blob.digest);
        if (now === undefined || now.writtenMs >= options.keepSinceMs) return;
        if (!(await this.remove(blob.digest))) return;
        removed++;
        removedBytes += now.sizeBytes;
      });
    }
    await this.#removeStaleIngests(options.keepSinceMs);
    return { removed, removedBytes };
  }

  async #reachedFrom(digest: Digest): Promise<readonly Digest[]> {
    const info = await this.info(digest);
    if (info === undefined || info.sizeBytes > manifestBytesMax) return [];
    const bytes = await this.readBytes({ digest }).catch((error: unknown) => {
      // What is spoilt is no manifest, and is fetched again by who wants it.
      if (error instanceof ImageFault && error.code === "DIGEST_MISMATCH") return new Uint8Array();
      throw error;
    });
    // 0x7b is `{`: saves parsing a config-sized layer.
    if (bytes[0] !== 0x7b) return [];
    try {
      const document = parseManifest(bytes, undefined);
      // Only children and what they name: a layer is never opened, whatever its bytes look like.
      return referencesOf(document).map((child) => child.digest);
    } catch {
      return [];
    }
  }

  async #removeStaleIngests(keepSinceMs: number): Promise<void> {
    const ingest = join(this.#directory, "ingest");
    for (const name of await readdir(ingest)) {
      const path = join(ingest, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && found.mtimeMs < keepSinceMs) await rm(path, { force: true });
    }
  }

  async #write(fill: (write: (chunk: Uint8Array) => Promise<void>) => Promise<Digest>): Promise<BlobInfo> {
    const path = join(this.#directory, "ingest", this.#random.uuid());
    const file = await storing(`writing ${path}`, () => open(path, "wx", 0o444));
    const writer = new PieceWriter(file);
    try {
      const digest = await fill((chunk) => storing("writing a blob", () => writer.write(chunk)));
      await storing("writing a blob", () => writer.flush());
      return await storing(`storing ${digest}`, async () => {
        await this.#publish(file, path, digest);
        const { size, mtimeMs } = await file.stat();
        return { digest, sizeBytes: size, writtenMs: mtimeMs };
      });
    } catch (error) {
      await writer.flush().catch(() => undefined);
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  }

  #writeAtOnce(bytes: Uint8Array, digest: Digest): BlobInfo {
    const path = join(this.#directory, "ingest", this.#random.uuid());
    const target = this.path(digest);
    try {
      writeFileSync(path, bytes, { flag: "wx", mode: 0o444 });
      // The directory of SHA-256 is there.
      if (digestAlgorithm(digest) !== "sha256") mkdirSync(dirname(target), { recursive: true });
      renameSync(path, target);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
    return { digest, sizeBytes: bytes.length, writtenMs: statSync(target).mtimeMs };
  }

  /** Syncs the bytes before the name, and the name before saying so: the order that survives a loss of power. */
  async #publish(file: FileHandle, path: string, digest: Digest): Promise<void> {
    if (this.#lasts) await file.sync();
    const target = this.path(digest);
    // The directory of SHA-256 is there.
    await rename(path, target).catch(async (error: unknown) => {
      if (errorCode(error) !== "ENOENT") throw error;
      await mkdir(dirname(target), { recursive: true });
      await rename(path, target);
    });
    if (this.#lasts) await syncDirectory(dirname(target));
  }
}

/** Makes renames and unlinks in `directory` last. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}

/** Gives errors of the file system a code; faults and aborts pass as they are. */
export async function storing<Value>(what: string, act: () => Promise<Value>): Promise<Value> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ImageFault || errorCode(error) === undefined) throw error;
    throw storeFault(what, error);
  }
}

function storeFault(what: string, error: unknown): ImageFault {
  const code = errorCode(error);
  const hint =
    code === "ENOSPC"
      ? ": the disk is full; remove images or give a data directory on another disk"
      : code === "EACCES" || code === "EROFS" || code === "EPERM"
        ? ": the directory cannot be written by this user"
        : "";
  return new ImageFault("STORE_FAILED", `${what} failed${hint}`, { cause: error });
}

/** @throws ImageFault TOO_LARGE */
export async function collectBytes(
  source: AsyncIterable<Uint8Array>,
  bytesMax: number,
  what: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > bytesMax) throw new ImageFault("TOO_LARGE", `${what} has more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
}

/**
 * The bytes of a file, or of a part of it. Opened when the first are asked for: a stream that was opened before would
 * report a missing file to nobody, which ends the process.
 */
export async function* fileBytes(path: string, range?: BlobRange): AsyncGenerator<Uint8Array, void, undefined> {
  const part = range === undefined ? {} : { start: range.start, end: range.end - 1 };
  yield* createReadStream(path, { ...part, highWaterMark: readBytes }) as AsyncIterable<Uint8Array>;
}

/** A stream of one chunk. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes;
}
