import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  type Descriptor,
  type Digest,
  ImageFault,
  type ImageReference,
  imageTag,
  isDigest,
  isImageTag,
  isRepositoryName,
  type ManifestBlob,
  mediaType,
  once,
  pinned,
  type RegistryClient,
  type RegistryHost,
  type Repository,
  type RepositoryName,
} from "@shallop/sdk/image";
import { Turnstile } from "@shallop/sdk/internal";
import { SharedWork } from "../shared-work.ts";
import { ComingBlob } from "./coming-blob.ts";
import { RegistryFault } from "./fault.ts";
import { referrerOf } from "./referrer.ts";
import type { RegistryParts } from "./parts.ts";

/** The registries that this one is a cache of, by the first component of the names that mean them: `docker.io`. */
export interface UpstreamSettings {
  readonly registries: ReadonlyMap<string, RegistryHost>;
  readonly client: RegistryClient;
}

/** A tag that was looked up this long ago is not asked for again: ten nodes that start the same ask once. */
const tagFreshMs = 30_000;
/** Tags whose last look is remembered; who is forgotten is asked for again. */
const lookedUpMax = 10_000;
/** Blobs that are fetched at once, and that wait for it. */
const fetchesAtOnce = 4;
const fetchesMax = 256;
/** What is served is used: noted once an hour, which is often enough to keep it for a week. */
const touchAfterMs = 60 * 60 * 1000;

type Parts = Pick<
  RegistryParts,
  "directory" | "store" | "repositories" | "claims" | "quota" | "clock" | "random" | "log"
>;

/**
 * Pulls images of other registries through this one: what was asked for once is here, also when the other registry is
 * not reachable. Names below `docker.io/` are such copies, and nobody pushes there.
 */
export class UpstreamCache {
  readonly #settings: UpstreamSettings | undefined;
  readonly #parts: Parts;
  readonly #manifests = new SharedWork<void>();
  readonly #blobs = new Map<string, Promise<ComingBlob | undefined>>();
  readonly #fetches = new Turnstile(fetchesAtOnce);
  /** What writes to the disk now. */
  readonly #running = new Set<Promise<void>>();
  readonly #lookedUp = new Map<string, number>();
  readonly #closing = new AbortController();

  constructor(settings: UpstreamSettings | undefined, parts: Parts) {
    this.#settings = settings;
    this.#parts = parts;
  }

  /** A name as it is here: containerd asks its mirrors for `library/alpine` with `?ns=docker.io`. */
  localName(name: RepositoryName, namespace: string | null): RepositoryName {
    const local = `${namespace ?? ""}/${name}`;
    return namespace !== null && isRepositoryName(local) && this.isCopy(local) ? local : name;
  }

  /** Whether the name belongs to another registry, so that nothing is pushed there. */
  isCopy(name: RepositoryName): boolean {
    return this.#source(name) !== undefined;
  }

  /** Sees to it that the manifest is here, if it is a copy's. @throws RegistryFault MANIFEST_UNKNOWN | UPSTREAM_FAILED */
  async manifest(name: RepositoryName, reference: string): Promise<void> {
    const source = this.#source(name);
    if (source === undefined || !(isDigest(reference) || isImageTag(reference))) return;
    const { signal } = this.#closing;
    await this.#manifests.run(`${name} ${reference}`, signal, async () => {
      try {
        if (isDigest(reference)) await this.#copyByDigest(name, source, reference);
        else await this.#copyByTag(name, { ...source, tag: imageTag(reference) });
      } catch (error) {
        throw upstreamFault(source, reference, error);
      }
    });
  }

  async #copyByDigest(name: RepositoryName, source: Repository, digest: Digest): Promise<void> {
    if (await this.#isHere(name, digest)) return;
    await this.#keep(name, await this.#client.manifest(pinned(source, digest), this.#closing.signal));
  }

  async #copyByTag(name: RepositoryName, reference: ImageReference): Promise<void> {
    const { repositories, clock, log } = this.#parts;
    const { tag } = reference;
    if (tag === undefined) return;
    const known = await repositories.tag(name, tag);
    const key = `${name}:${tag}`;
    const isFresh = clock.nowMs() - (this.#lookedUp.get(key) ?? -Infinity) < tagFreshMs;
    if (known !== undefined && isFresh && (await this.#isHere(name, known))) return;
    try {
      const found = await this.#client.resolve(reference, this.#closing.signal);
      if (!(await this.#isHere(name, found.digest))) {
        await this.#keep(name, await this.#client.manifest(pinned(reference, found.digest), this.#closing.signal));
      }
      if (known !== found.digest) await repositories.setTag(name, tag, found.digest);
    } catch (error) {
      const mayPass = error instanceof ImageFault && error.retryable;
      if (!mayPass || known === undefined || !(await this.#isHere(name, known))) throw error;
      log.warn("serving a tag as it was last seen", { name, tag, why: error.message });
    }
    if (this.#lookedUp.size >= lookedUpMax) this.#lookedUp.clear();
    this.#lookedUp.set(key, clock.nowMs());
  }

  /** Whether a copy is here; it counts as used then. */
  async #isHere(name: RepositoryName, digest: Digest): Promise<boolean> {
    const { repositories, store, clock } = this.#parts;
    const namedMs = await repositories.manifestNamedMs(name, digest);
    if (namedMs === undefined || !(await store.has(digest))) return false;
    if (clock.wallMs() - namedMs > touchAfterMs) await repositories.touchManifest(name, digest, clock.wallMs());
    return true;
  }

  async #keep(name: RepositoryName, { bytes, descriptor, document }: ManifestBlob): Promise<void> {
    const { store, repositories, claims, clock } = this.#parts;
    await claims.gate.claim(async () => {
      await store.ingest(once(bytes), descriptor);
      await store.touch(descriptor.digest, clock.wallMs());
      await repositories.addManifest(name, referrerOf(descriptor, document), document.subject?.digest);
    });
  }

  /** Tags that the other registry has; those that are here when it does not answer. Undefined for no copy. */
  async tags(name: RepositoryName): Promise<readonly string[] | undefined> {
    const source = this.#source(name);
    if (source === undefined) return undefined;
    try {
      return [...(await this.#client.tags(source, this.#closing.signal))].sort();
    } catch (error) {
      const here = await this.#parts.repositories.tags(name);
      if (here.length > 0 && error instanceof ImageFault && error.retryable) return here;
      throw upstreamFault(source, "tags", error);
    }
  }

  /** A copy's blob that is not here yet: it is being fetched, and can be read meanwhile. Undefined when there is none. */
  async blob(
    name: RepositoryName,
    digest: Digest,
  ): Promise<{ readonly sizeBytes: number; open(): AsyncIterable<Uint8Array> } | undefined> {
    const source = this.#source(name);
    if (source === undefined) return undefined;
    const key = `${name} ${digest}`;
    const known = this.#blobs.get(key);
    const hasFailed = (await known?.catch(() => undefined))?.hasFailed === true;
    if (hasFailed && this.#blobs.get(key) === known) this.#blobs.delete(key);
    let coming = this.#blobs.get(key);
    if (coming === undefined) {
      if (this.#blobs.size >= fetchesMax) {
        throw new RegistryFault("TOOMANYREQUESTS", "too many blobs are on their way", {
          headers: { "Retry-After": "5" },
        });
      }
      const begun = this.#begin(name, source, digest);
      coming = begun;
      this.#blobs.set(key, begun);
      begun.then(
        (blob) => blob === undefined && this.#forget(key, begun),
        () => this.#forget(key, begun),
      );
    }
    try {
      return await coming;
    } catch (error) {
      throw upstreamFault(source, digest, error);
    }
  }

  async #begin(name: RepositoryName, source: Repository, digest: Digest): Promise<ComingBlob | undefined> {
    const { quota, random, directory, log, store } = this.#parts;
    const { signal } = this.#closing;
    const size = await this.#client.blobSize(source, digest, signal);
    if (size === undefined) return undefined;
    await quota.open(name);
    quota.check(name, size);
    const pulled = join(directory, "uploads");
    await mkdir(pulled, { recursive: true });
    const blob: Descriptor = { mediaType: mediaType.octets, digest, size };
    // Beside the uploads, where what a killed process has left is removed after a day.
    const coming = await ComingBlob.create(join(pulled, `${random.uuid()}-pulled`), { store, blob });
    const fetching = this.#fetches
      .pass(() => this.#fetch(coming, { name, source, blob }))
      .catch((error: unknown) => log.warn("pulling a blob through failed", { name, digest, why: String(error) }))
      .finally(() => {
        void this.#forgetBlob(`${name} ${digest}`, coming);
        this.#running.delete(fetching);
      });
    this.#running.add(fetching);
    return coming;
  }

  /** Unless another one took its place. */
  #forget(key: string, begun: Promise<ComingBlob | undefined>): void {
    if (this.#blobs.get(key) === begun) this.#blobs.delete(key);
  }

  async #forgetBlob(key: string, blob: ComingBlob): Promise<void> {
    const begun = this.#blobs.get(key);
    if (begun !== undefined && (await begun.catch(() => undefined)) === blob) this.#forget(key, begun);
  }

  async #fetch(
    coming: ComingBlob,
    what: { readonly name: RepositoryName; readonly source: Repository; readonly blob: Descriptor },
  ): Promise<void> {
    const { claims, quota } = this.#parts;
    const { name, source, blob } = what;
    await claims.expect(blob.digest);
    await coming.fill(this.#client.blob(source, blob, { signal: this.#closing.signal }));
    quota.stored(blob.size);
    if (await claims.name(name, blob.digest)) quota.named(name, blob.size);
  }

  /** Ends what is on its way, and waits until nothing is written any more. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the registry is stopping"));
    await Promise.all(this.#running);
  }

  get #client(): RegistryClient {
    if (this.#settings === undefined) throw new Error("there is no upstream");
    return this.#settings.client;
  }

  /** `docker.io/alpine` → `library/alpine` at docker.io. */
  #source(name: RepositoryName): Repository | undefined {
    const slash = name.indexOf("/");
    const registry = this.#settings?.registries.get(name.slice(0, slash));
    if (slash < 0 || registry === undefined) return undefined;
    const path = name.slice(slash + 1);
    const repository = registry === "docker.io" && !path.includes("/") ? `library/${path}` : path;
    return isRepositoryName(repository) ? { registry, repository } : undefined;
  }
}

/** Registries answer with the latter two for what is not there, to whom they do not know. */
const absences: ReadonlySet<string> = new Set(["MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "UNAUTHORIZED", "DENIED"]);

function upstreamFault(source: Repository, what: string, error: unknown): unknown {
  if (!(error instanceof ImageFault)) return error;
  const text = `${source.registry}/${source.repository}, of which this is a copy: ${error.message}`;
  if (error.code === "RATE_LIMITED") return new RegistryFault("TOOMANYREQUESTS", text, { cause: error });
  if (!absences.has(error.code)) return new RegistryFault("UPSTREAM_FAILED", text, { cause: error });
  return new RegistryFault(isDigest(what) ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN", text, { cause: error });
}
