import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type ContentStore,
  type DigestAlgorithm,
  digestAlgorithm,
  Digester,
  digestHex,
  digestOf,
  type Expected,
  ImageFault,
  isDigestAlgorithm,
  PieceWriter,
  type RepositoryName,
} from "@shallop/sdk/image";
import { type Clock, errorCode, type Random } from "@shallop/sdk/internal";
import type { Claims } from "./claims.ts";
import { RegistryFault } from "./fault.ts";
import type { QuotaKeeper } from "./quota.ts";

/** A client that has been away longer starts again; Docker's registry waits a week, at the price of the disk. */
const sessionLifetimeMs = 24 * 60 * 60 * 1000;
/** Sessions that may be open: a build pushes some ten layers at once; a thousand is somebody filling the disk. */
const sessionsMax = 1_000;
export interface UploadLimits {
  /** Bytes of one blob. */
  readonly blobBytesMax: number;
}

/** A piece of a blob, and where it begins if the client said so. */
export interface Piece {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly start: number | undefined;
}

/** One upload: whose it is, and its id in the URL. */
export interface UploadSession {
  readonly name: RepositoryName;
  readonly id: string;
}

/**
 * Uploads that are under way, each a file that is appended to: what was received is there after a restart, and the
 * client is told how much that is. The name of the file is the session's id; the id names the repository, too.
 */
export class RegistryUploads {
  readonly #directory: string;
  readonly #store: ContentStore;
  readonly #random: Random;
  readonly #limits: UploadLimits;
  readonly #quota: QuotaKeeper;
  readonly #claims: Claims;
  /** Sessions that a request is writing to now: a second one would mix its bytes in. */
  readonly #busy = new Set<string>();
  /** What has seen all bytes of a session since it began; after a restart there is none, and the file is read again. */
  readonly #hashes = new Map<string, Digester>();

  constructor(options: {
    readonly directory: string;
    readonly store: ContentStore;
    readonly random: Random;
    readonly limits: UploadLimits;
    readonly quota: QuotaKeeper;
    readonly claims: Claims;
  }) {
    this.#directory = join(options.directory, "uploads");
    this.#store = options.store;
    this.#random = options.random;
    this.#limits = options.limits;
    this.#quota = options.quota;
    this.#claims = options.claims;
  }

  /** Counts what an earlier process has left to be gone on with. Call once, before the first upload. */
  async recount(): Promise<void> {
    for (const id of await readdir(this.#directory).catch(() => [])) {
      const found = await stat(this.#path(id)).catch(() => undefined);
      if (found !== undefined) this.#quota.left(id, found.size);
    }
  }

  /** @returns the id @throws RegistryFault TOOMANYREQUESTS | DENIED when the quota is used up */
  async start(name: RepositoryName, algorithm: DigestAlgorithm): Promise<string> {
    await this.#quota.open(name);
    this.#quota.check(name);
    await mkdir(this.#directory, { recursive: true });
    if ((await readdir(this.#directory)).length >= sessionsMax) {
      throw new RegistryFault("TOOMANYREQUESTS", `${sessionsMax} uploads are open; finish or cancel some`);
    }
    const id = `${this.#random.uuid()}-${markOf(name)}-${algorithm}`;
    await using _file = await open(this.#path(id), "wx");
    this.#hashes.set(id, new Digester(algorithm));
    return id;
  }

  /** Bytes received so far. @throws RegistryFault BLOB_UPLOAD_UNKNOWN */
  async received({ name, id }: UploadSession): Promise<number> {
    if (!isSessionId(id, name)) throw unknownUpload(id);
    const found = await stat(this.#path(id)).catch(() => undefined);
    if (found === undefined) throw unknownUpload(id);
    return found.size;
  }

  /**
   * Appends a piece. What arrived stays, also when the rest does not come; what is acknowledged is on the disk.
   *
   * @returns bytes received so far
   * @throws RegistryFault BLOB_UPLOAD_UNKNOWN | RANGE_INVALID when the piece does not follow what is there | TOO_LARGE |
   *   DENIED | STORAGE_FULL
   */
  append(session: UploadSession, piece: Piece): Promise<number> {
    return this.#exclusively(session, (received) => this.#append(session, piece, { received, sync: true }));
  }

  /**
   * Makes a blob of what was received and a last piece. The session is over, unless that piece did not arrive whole.
   *
   * @throws RegistryFault as `append`, and DIGEST_INVALID when it is not what was said
   */
  finish(session: UploadSession, expected: Expected, last: Piece): Promise<void> {
    return this.#exclusively(session, async (received) => {
      const { id } = session;
      const size = await this.#append(session, last, { received, sync: false });
      try {
        const hashed = this.#hashes.get(id);
        const isWhole = hashed?.size === size && hashed.algorithm === digestAlgorithm(expected.digest);
        await this.#claims.expect(expected.digest);
        const isNew = !(await this.#store.has(expected.digest));
        await storageFull(this.#store.adopt(this.#path(id), expected, isWhole ? hashed : undefined));
        if (isNew) this.#quota.stored(size);
      } catch (error) {
        const isWrong = error instanceof ImageFault && error.code === "DIGEST_MISMATCH";
        if (isWrong) throw new RegistryFault("DIGEST_INVALID", error.message, { cause: error });
        throw error;
      } finally {
        await this.#forget(id);
      }
    });
  }

  /** Also while a request writes to it. @throws RegistryFault BLOB_UPLOAD_UNKNOWN */
  async cancel(session: UploadSession): Promise<void> {
    await this.received(session);
    await this.#forget(session.id);
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
      if (isStale && !this.#busy.has(file)) await this.#forget(file);
    }
  }

  async #append(
    { name, id }: UploadSession,
    piece: Piece,
    { received, sync }: { readonly received: number; readonly sync: boolean },
  ): Promise<number> {
    if (piece.start !== undefined && piece.start !== received) {
      throw new RegistryFault("RANGE_INVALID", `the piece begins at ${piece.start}, but ${received} bytes are here`);
    }
    const hash = this.#hashes.get(id);
    // A write that failed leaves them apart; then the file is what counts.
    const digester = hash?.size === received ? hash : undefined;
    if (digester === undefined) this.#hashes.delete(id);
    let size = received;
    await this.#quota.open(name);
    await using file = await open(this.#path(id), "a");
    const writer = new PieceWriter(file);
    try {
      for await (const chunk of piece.bytes) {
        size += chunk.length;
        if (size > this.#limits.blobBytesMax) {
          throw new RegistryFault("TOO_LARGE", `a blob may have ${this.#limits.blobBytesMax} bytes`);
        }
        this.#quota.grow(name, id, size);
        digester?.update(chunk);
        await storageFull(writer.write(chunk));
      }
    } finally {
      await storageFull(writer.flush());
    }
    if (sync && size > received) await storageFull(file.datasync());
    return size;
  }

  async #forget(id: string): Promise<void> {
    this.#hashes.delete(id);
    this.#quota.settle(id);
    await rm(this.#path(id), { force: true });
  }

  async #exclusively<Value>(session: UploadSession, act: (received: number) => Promise<Value>): Promise<Value> {
    const { id } = session;
    if (this.#busy.has(id)) throw new RegistryFault("RANGE_INVALID", "another request is writing to this upload");
    this.#busy.add(id);
    try {
      return await act(await this.received(session));
    } catch (error) {
      // More than may be stored: what is here of it is of no use, and takes the room of others.
      if (error instanceof RegistryFault && ["DENIED", "TOO_LARGE"].includes(error.code)) await this.#forget(id);
      throw error;
    } finally {
      this.#busy.delete(id);
    }
  }

  #path(id: string): string {
    return join(this.#directory, id);
  }
}

/** @throws RegistryFault STORAGE_FULL in place of what the file system says */
export async function storageFull<Value>(act: Promise<Value>): Promise<Value> {
  try {
    return await act;
  } catch (error) {
    const cause = error instanceof ImageFault ? error.cause : error;
    if (errorCode(cause) !== "ENOSPC" && errorCode(cause) !== "EDQUOT") throw error;
    throw new RegistryFault("STORAGE_FULL", "the registry's disk is full", { cause: error });
  }
}

/** Says of an id whose it is, so that a right on one repository is none on the uploads of another. */
const markOf = (name: RepositoryName): string => digestHex(digestOf(name)).slice(0, 16);

/** The id comes from a URL and becomes a file name. */
function isSessionId(id: string, name: RepositoryName): boolean {
  const [, mark, algorithm] = /^[0-9a-f-]{36}-([0-9a-f]{16})-([a-z0-9]+)$/.exec(id) ?? [];
  return mark === markOf(name) && algorithm !== undefined && isDigestAlgorithm(algorithm);
}

function unknownUpload(id: string): RegistryFault {
  return new RegistryFault("BLOB_UPLOAD_UNKNOWN", `there is no upload ${id.slice(0, 80)}; it may have been finished`);
}
