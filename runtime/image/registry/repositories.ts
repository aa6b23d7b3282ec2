import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  type ImageTag,
  isDigest,
  isImageTag,
  isRepositoryName,
  parseDigest,
  type RepositoryName,
  repositoryName,
  syncDirectory,
} from "@shallop/sdk/image";
import { errorCode, type Random } from "@shallop/sdk/internal";

/** A descriptor in a referrers list. */
export type Referrer = Descriptor;

/** What is kept of a manifest besides its bytes. */
export interface ManifestLink {
  readonly mediaType: string;
  readonly size: number;
  readonly subject?: Digest;
}

/** Removals of one directory follow each other at the pace of a client: three in a row do not fit between two calls. */
const writeAttemptsMax = 3;

/**
 * The names in the registry: which repository has which blobs, manifests, tags and referrers. Each is one small file
 * that is replaced as a whole, under `repositories/<name>/` in directories that begin with `_`, which no name can.
 *
 *     _blobs/sha256/<hex>                      empty: the repository has this blob
 *     _manifests/sha256/<hex>                  JSON of ManifestLink
 *     _tags/<tag>                              the digest
 *     _referrers/sha256/<hex>/sha256-<hex>     JSON of the descriptor of a manifest with this subject
 */
export class RegistryRepositories {
  readonly #root: string;
  readonly #random: Random;

  constructor(directory: string, random: Random) {
    this.#root = join(directory, "repositories");
    this.#random = random;
  }

  addBlob(name: RepositoryName, digest: Digest): Promise<void> {
    return this.#write(this.#file(name, "_blobs", digest), "");
  }

  async hasBlob(name: RepositoryName, digest: Digest): Promise<boolean> {
    return (await this.#namedMs(name, "_blobs", digest)) !== undefined;
  }

  /** When the repository last said that it needs this blob; milliseconds since the epoch. */
  blobNamedMs(name: RepositoryName, digest: Digest): Promise<number | undefined> {
    return this.#namedMs(name, "_blobs", digest);
  }

  /** When the manifest was pushed, or last served from a cache; milliseconds since the epoch. */
  manifestNamedMs(name: RepositoryName, digest: Digest): Promise<number | undefined> {
    return this.#namedMs(name, "_manifests", digest);
  }

  touchBlob(name: RepositoryName, digest: Digest, wallMs: number): Promise<void> {
    return touch(this.#file(name, "_blobs", digest), wallMs);
  }

  touchManifest(name: RepositoryName, digest: Digest, wallMs: number): Promise<void> {
    return touch(this.#file(name, "_manifests", digest), wallMs);
  }

  async #namedMs(name: RepositoryName, kind: "_blobs" | "_manifests", digest: Digest): Promise<number | undefined> {
    try {
      const found = await stat(this.#file(name, kind, digest));
      return found.isFile() ? found.mtimeMs : undefined;
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }

  removeBlob(name: RepositoryName, digest: Digest): Promise<boolean> {
    return remove(this.#file(name, "_blobs", digest));
  }

  async manifest(name: RepositoryName, digest: Digest): Promise<ManifestLink | undefined> {
    const text = await readText(this.#file(name, "_manifests", digest));
    return text === undefined ? undefined : (JSON.parse(text) as ManifestLink);
  }

  /** The referrer is written first: a manifest that is there is also listed. */
  async addManifest(name: RepositoryName, descriptor: Referrer, subject: Digest | undefined): Promise<void> {
    if (subject !== undefined) {
      await this.#write(this.#referrer(name, subject, descriptor.digest), JSON.stringify(descriptor));
    }
    const { mediaType, size, digest } = descriptor;
    const link: ManifestLink = { mediaType, size, ...(subject === undefined ? {} : { subject }) };
    await this.#write(this.#file(name, "_manifests", digest), JSON.stringify(link));
  }

  /** Takes its tags and its place among the referrers with it. False when there was none. */
  async removeManifest(name: RepositoryName, digest: Digest): Promise<boolean> {
    const link = await this.manifest(name, digest);
    if (link === undefined) return false;
    await remove(this.#file(name, "_manifests", digest));
    if (link.subject !== undefined) await remove(this.#referrer(name, link.subject, digest));
    for (const tag of await this.tags(name)) {
      if ((await this.tag(name, tag)) === digest) await this.removeTag(name, tag);
    }
    return true;
  }

  async tag(name: RepositoryName, tag: ImageTag): Promise<Digest | undefined> {
    const text = await readText(join(this.#directory(name), "_tags", tag));
    return text === undefined ? undefined : parseDigest(text);
  }

  async setTag(name: RepositoryName, tag: ImageTag, digest: Digest): Promise<void> {
    await this.#write(join(this.#directory(name), "_tags", tag), digest);
  }

  removeTag(name: RepositoryName, tag: ImageTag): Promise<boolean> {
    return remove(join(this.#directory(name), "_tags", tag));
  }

  /** Sorted by code unit, as the specification's "lexical order". */
  async tags(name: RepositoryName): Promise<readonly ImageTag[]> {
    return (await names(join(this.#directory(name), "_tags"))).filter(isImageTag).sort();
  }

  /** Descriptors of the manifests that have this subject, sorted by digest, from the one after `after` on. */
  async *referrers(name: RepositoryName, subject: Digest, after?: string): AsyncGenerator<Referrer, void, undefined> {
    const directory = dirname(this.#referrer(name, subject, subject));
    const files = (await names(directory)).filter((file) => !file.startsWith(".")).sort();
    for (const file of files) {
      if (after !== undefined && file <= after.replace(":", "-")) continue;
      const text = await readText(join(directory, file));
      if (text !== undefined) yield JSON.parse(text) as Referrer;
    }
  }

  /** Whether anything was ever put into it. */
  async exists(name: RepositoryName): Promise<boolean> {
    return (await names(this.#directory(name))).some((entry) => entry.startsWith("_"));
  }

  /** Every repository that has a manifest, sorted. */
  async list(): Promise<readonly RepositoryName[]> {
    const found: RepositoryName[] = [];
    for await (const name of this.walk()) {
      if ((await this.manifests(name)).length > 0) found.push(name);
    }
    return found.sort();
  }

  /** Every repository that has anything. */
  async *walk(): AsyncGenerator<RepositoryName, void, undefined> {
    const open: string[] = [""];
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      const entries = await names(join(this.#root, path));
      if (path !== "" && entries.some((entry) => entry.startsWith("_"))) yield repositoryName(path);
      for (const entry of entries) {
        const name = path === "" ? entry : `${path}/${entry}`;
        if (isRepositoryName(name)) open.push(name);
      }
    }
  }

  manifests(name: RepositoryName): Promise<readonly Digest[]> {
    return this.#digests(name, "_manifests");
  }

  blobs(name: RepositoryName): Promise<readonly Digest[]> {
    return this.#digests(name, "_blobs");
  }

  /** Every digest that a repository names: blobs and manifests. */
  async contents(name: RepositoryName): Promise<ReadonlySet<Digest>> {
    return new Set([...(await this.blobs(name)), ...(await this.manifests(name))]);
  }

  /** Removes what writes have left that were killed before `sinceMs`. */
  async removeDrafts(name: RepositoryName, sinceMs: number): Promise<void> {
    const sweep = async (directory: string): Promise<void> => {
      for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
        const path = join(directory, entry.name);
        if (entry.isDirectory()) await sweep(path);
        else if (entry.name.startsWith(".")) {
          const found = await stat(path).catch(() => undefined);
          if (found !== undefined && found.mtimeMs < sinceMs) await rm(path, { force: true });
        }
      }
    };
    for (const kind of ["_blobs", "_manifests", "_tags", "_referrers"]) await sweep(join(this.#directory(name), kind));
  }

  async #digests(name: RepositoryName, kind: "_blobs" | "_manifests"): Promise<readonly Digest[]> {
    const found: Digest[] = [];
    for (const algorithm of await names(join(this.#directory(name), kind))) {
      for (const hex of await names(join(this.#directory(name), kind, algorithm))) {
        const digest = `${algorithm}:${hex}`;
        if (isDigest(digest)) found.push(digest);
      }
    }
    return found;
  }

  #directory(name: RepositoryName): string {
    return join(this.#root, name);
  }

  #file(name: RepositoryName, kind: "_blobs" | "_manifests", digest: Digest): string {
    return join(this.#directory(name), kind, digestAlgorithm(digest), digestHex(digest));
  }

  #referrer(name: RepositoryName, subject: Digest, digest: Digest): string {
    const file = digest.replace(":", "-");
    return join(this.#directory(name), "_referrers", digestAlgorithm(subject), digestHex(subject), file);
  }

  async #write(path: string, text: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#replace(path, text);
        return;
      } catch (error) {
        // A removal beside us has taken the directory that was empty until now.
        if (errorCode(error) !== "ENOENT" || attempt >= writeAttemptsMax) throw error;
      }
    }
  }

  async #replace(path: string, text: string): Promise<void> {
    // The uppermost directory that was made: its name is in the one above, which has to be synced for it to last.
    const made = await mkdir(dirname(path), { recursive: true });
    const draft = join(dirname(path), `.${this.#random.uuid()}`);
    try {
      await using file = await open(draft, "wx");
      if (text !== "") {
        await file.writeFile(text);
        await file.sync();
      }
      await rename(draft, path);
    } finally {
      await rm(draft, { force: true });
    }
    const top = made === undefined ? dirname(path) : dirname(made);
    for (let directory = dirname(path); directory.length >= top.length; directory = dirname(directory)) {
      await syncIfThere(directory);
    }
  }
}

async function syncIfThere(directory: string): Promise<void> {
  await syncDirectory(directory).catch((error: unknown) => {
    if (errorCode(error) !== "ENOENT") throw error;
  });
}

async function touch(path: string, wallMs: number): Promise<void> {
  await utimes(path, wallMs / 1000, wallMs / 1000).catch((error: unknown) => {
    if (!isAbsence(error)) throw error;
  });
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

async function remove(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  await rm(path, { force: true });
  await syncIfThere(dirname(path));
  // Leaves no empty directories behind; one that is not empty stays.
  await rmdir(dirname(path)).catch(() => undefined);
  return true;
}

async function names(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

/** A name that is a prefix of another is a directory, and a name too long for the file system names nothing. */
const isAbsence = (error: unknown): boolean =>
  ["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG"].includes(errorCode(error) ?? "");
