import type { BlobInfo, ContentStore, Digest, RepositoryName } from "@shallop/sdk/image";
import type { Clock } from "@shallop/sdk/internal";
import { Gate } from "./gate.ts";
import type { RegistryRepositories } from "./repositories.ts";

/** A blob may wait this long for the manifest that names it: a push of many layers over a slow line. */
export const unnamedLifetimeMs = 24 * 60 * 60 * 1000;
/** Times are written again when they are older than this: most claims cost no write. */
const touchAfterMs = 60 * 60 * 1000;

/**
 * What clients have been told is here, and so must stay until they had time to name it in a manifest. A claim makes the
 * blob as young as a new one; the collector looks at the age again when no claim is under way.
 */
export class Claims {
  readonly gate = new Gate();
  readonly #store: ContentStore;
  readonly #repositories: RegistryRepositories;
  readonly #clock: Clock;

  constructor(parts: {
    readonly store: ContentStore;
    readonly repositories: RegistryRepositories;
    readonly clock: Clock;
  }) {
    this.#store = parts.store;
    this.#repositories = parts.repositories;
    this.#clock = parts.clock;
  }

  /** The blob, when the repository has it. */
  blob(name: RepositoryName, digest: Digest): Promise<BlobInfo | undefined> {
    return this.gate.claim(() => this.blobWithin(name, digest));
  }

  /** As `blob`, for who holds the gate already. */
  async blobWithin(name: RepositoryName, digest: Digest): Promise<BlobInfo | undefined> {
    const namedMs = await this.#repositories.blobNamedMs(name, digest);
    const info = namedMs === undefined ? undefined : await this.#store.info(digest);
    if (namedMs === undefined || info === undefined) return undefined;
    const nowMs = this.#clock.wallMs();
    if (nowMs - namedMs > touchAfterMs) await this.#repositories.touchBlob(name, digest, nowMs);
    if (nowMs - info.writtenMs > touchAfterMs) await this.#store.touch(digest, nowMs);
    return info;
  }

  /** To be called before a blob is stored: one that is there already, and old, could be taken away in the same moment. */
  expect(digest: Digest): Promise<void> {
    return this.gate.claim(() => this.#store.touch(digest, this.#clock.wallMs()));
  }

  /** Gives the repository a blob that the store has. False when it had it already. */
  name(name: RepositoryName, digest: Digest): Promise<boolean> {
    return this.gate.claim(() => this.nameWithin(name, digest));
  }

  /** As `name`, for who holds the gate already. */
  async nameWithin(name: RepositoryName, digest: Digest): Promise<boolean> {
    if ((await this.blobWithin(name, digest)) !== undefined) return false;
    await this.#repositories.addBlob(name, digest);
    // An upload that was resumed late is as old as its last byte.
    await this.#store.touch(digest, this.#clock.wallMs());
    return true;
  }

  /** Whether the repository has this manifest. For who holds the gate. */
  async manifestWithin(name: RepositoryName, digest: Digest): Promise<boolean> {
    const namedMs = await this.#repositories.manifestNamedMs(name, digest);
    if (namedMs === undefined || !(await this.#store.has(digest))) return false;
    const nowMs = this.#clock.wallMs();
    if (nowMs - namedMs > touchAfterMs) await this.#repositories.touchManifest(name, digest, nowMs);
    return true;
  }
}
