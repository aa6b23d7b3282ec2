import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ContentStore, DigestAlgorithm, Expected } from "@shallop/sdk/image";
import { ImageFault, isDigestAlgorithm } from "@shallop/sdk/image";
import { type Clock, errorCode, type Random } from "@shallop/sdk/internal";
import { RegistryFault } from "./registry-fault.ts";

/** A client that has been away longer starts again; Docker's registry waits a week, at the price of the disk. */
const sessionLifetimeMs = 24 * 60 * 60 * 1000;
/** Sessions that may be open: a build pushes some ten layers at once; a thousand is somebody filling the disk. */
const sessionsMax = 1_000;

export interface UploadLimits {
  /** Bytes of one blob. */
  readonly blobBytesMax: number;
}

/**
 * Uploads that are under way, each a file that is appended to: what was received is there after a restart, and the
 * client is told how much that is. The name of the file is the session's id.
 */
export class RegistryUploads {
  readonly #directory: string;
  readonly #store: ContentStore;
  readonly #random: Random;
  readonly #limits: UploadLimits;
  /** Sessions that a request is writing to now: a second one would mix its bytes in. */
  readonly #busy = new Set<string>();

  constructor(options: {
    readonly directory: string;
    readonly store: ContentStore;
    readonly random: Random;
    readonly limits: UploadLimits;
  }) {
    this.#directory = join(options.directory, "uploads");
    this.#store = options.store;
    this.#random = options.random;
    this.#limits = options.limits;
  }

  /** @throws RegistryFault TOOMANYREQUESTS */
  async start(algorithm: DigestAlgorithm = "sha256"): Promise<string> {
    await mkdir(this.#directory, { recursive: true });
    if ((await readdir(this.#directory)).length >= sessionsMax) {
      throw new RegistryFault("TOOMANYREQUESTS", `${sessionsMax} uploads are open; finish or cancel some`);
    }
    const id = `${this.#random.uuid()}-${algorithm}`;
    await using file = await open(this.#path(id), "wx");
    await file.sync();
    return id;
  }

  /** Bytes received so far. @throws RegistryFault BLOB_UPLOAD_UNKNOWN */
  async received(id: string): Promise<number> {
    if (!isSessionId(id)) throw unknownUpload(id);
    const found = await stat(this.#path(id)).catch(() => undefined);
    if (found === undefined) throw unknownUpload(id);
    return found.size;
  }

  /**
   * Appends a piece. What arrived stays, also when the rest does not come.
   *
   * @param start where the piece begins, if the client said so
   * @returns bytes received so far
   * @throws RegistryFault BLOB_UPLOAD_UNKNOWN | RANGE_INVALID when the piece does not follow what is there | TOO_LARGE
   */
  async append(id: string, piece: AsyncIterable<Uint8Array>, start: number | undefined): Promise<number> {
    return this.#exclusively(id, async () => {
      const received = await this.received(id);
      if (start !== undefined && start !== received) {
        throw new RegistryFault("RANGE_INVALID", `the piece begins at ${start}, but ${received} bytes are here`);
      }
      return this.#append(id, piece, received);
    });
  }

  /**
   * Makes a blob of what was received and `lastPiece`. The session is over, whatever the outcome.
   *
   * @throws RegistryFault BLOB_UPLOAD_UNKNOWN | RANGE_INVALID | TOO_LARGE | DIGEST_INVALID when it is not what was said
   */
  async finish(
    id: string,
    expected: Expected,
    last: { readonly piece: AsyncIterable<Uint8Array>; readonly start: number | undefined },
  ): Promise<void> {
    await this.#exclusively(id, async () => {
      const received = await this.received(id);
      if (last.start !== undefined && last.start !== received) {
        throw new RegistryFault("RANGE_INVALID", `the piece begins at ${last.start}, but ${received} bytes are here`);
      }
      await this.#append(id, last.piece, received);
      try {
        await this.#store.adopt(this.#path(id), expected);
      } catch (error) {
        const isWrong = error instanceof ImageFault && error.code === "DIGEST_MISMATCH";
        if (isWrong) throw new RegistryFault("DIGEST_INVALID", error.message, { cause: error });
        throw error;
      } finally {
        await rm(this.#path(id), { force: true });
      }
    });
  }

  /** @throws RegistryFault BLOB_UPLOAD_UNKNOWN */
  async cancel(id: string): Promise<void> {
    await this.received(id);
    await rm(this.#path(id), { force: true });
  }

  /** Removes sessions that nobody has written to for a day. */
  async removeStale(clock: Clock): Promise<void> {
    const files = await readdir(this.#directory).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    });
    for (const file of files) {
      const found = await stat(join(this.#directory, file)).catch(() => undefined);
      const isStale = found !== undefined && clock.wallMs() - found.mtimeMs > sessionLifetimeMs;
      if (isStale && !this.#busy.has(file)) await rm(join(this.#directory, file), { force: true });
    }
  }

  async #append(id: string, piece: AsyncIterable<Uint8Array>, received: number): Promise<number> {
    let size = received;
    await using file = await open(this.#path(id), "a");
    for await (const chunk of piece) {
      size += chunk.length;
      if (size > this.#limits.blobBytesMax) {
        throw new RegistryFault("TOO_LARGE", `a blob may have ${this.#limits.blobBytesMax} bytes`);
      }
      await file.writeFile(chunk);
    }
    return size;
  }

  async #exclusively<Value>(id: string, act: () => Promise<Value>): Promise<Value> {
    if (this.#busy.has(id)) throw new RegistryFault("RANGE_INVALID", "another request is writing to this upload");
    this.#busy.add(id);
    try {
      return await act();
    } finally {
      this.#busy.delete(id);
    }
  }

  #path(id: string): string {
    return join(this.#directory, id);
  }
}

/** The id comes from a URL and becomes a file name. */
function isSessionId(id: string): boolean {
  const dash = id.lastIndexOf("-");
  return /^[0-9a-f-]{36}$/.test(id.slice(0, dash)) && isDigestAlgorithm(id.slice(dash + 1));
}

function unknownUpload(id: string): RegistryFault {
  return new RegistryFault("BLOB_UPLOAD_UNKNOWN", `there is no upload ${id.slice(0, 60)}; it may have been finished`);
}
