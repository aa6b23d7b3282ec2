import { type Digest, parseManifest, referencesOf, type RepositoryName } from "@shallop/sdk/image";
import { unnamedLifetimeMs } from "./claims.ts";
import type { RegistryParts } from "./parts.ts";

/** What of a registry may go besides blobs that nothing names. */
export interface GarbagePolicy {
  /** Manifests without a tag go after this long; never, when absent: somebody may pull them by digest. */
  readonly untaggedLifetimeMs?: number | undefined;
  /** Digests of images that run or are about to; undefined while nobody knows, and then no manifest goes. */
  readonly inUse?: (() => Promise<Iterable<string> | undefined>) | undefined;
  /** Whether a repository is a copy of another registry's: there, a tag does not hold what nobody asks for. */
  readonly isCopy: (name: RepositoryName) => boolean;
}

export interface GarbageReport {
  readonly removed: number;
  readonly removedBytes: number;
  readonly manifestsRemoved: number;
}

/** What is pulled through goes when it was not asked for in this time; Docker's registry takes as long. */
const copyLifetimeMs = 7 * 24 * 60 * 60 * 1000;

interface Node {
  readonly digest: Digest;
  readonly references: readonly Digest[];
  readonly subject: Digest | undefined;
}

type Parts = Pick<RegistryParts, "store" | "repositories" | "uploads" | "claims" | "quota" | "clock" | "log">;

/**
 * Lets go of what nothing needs: blobs that no manifest of their repository names and nobody has claimed for a day,
 * uploads that were left, and manifests where the policy says so. Killed anywhere, it has removed garbage only.
 */
export class GarbageCollector {
  readonly #parts: Parts;
  readonly #policy: GarbagePolicy;
  #running: Promise<GarbageReport> | undefined;

  constructor(parts: Parts, policy: GarbagePolicy) {
    this.#parts = parts;
    this.#policy = policy;
  }

  /** One run at a time; who asks meanwhile gets its result. */
  run(): Promise<GarbageReport> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<GarbageReport> {
    const { store, repositories, uploads, claims, quota, clock, log } = this.#parts;
    const keepSinceMs = clock.wallMs() - unnamedLifetimeMs;
    await uploads.removeStale(clock);
    const kept = new Set<Digest>();
    let manifestsRemoved = 0;
    for await (const name of repositories.walk()) {
      try {
        await repositories.removeDrafts(name, keepSinceMs);
        manifestsRemoved += await this.#removeManifests(name);
        await this.#removeNames(name, keepSinceMs);
      } catch (error) {
        // What cannot be read may name anything: then all of it stays.
        log.error("collecting garbage of a repository failed", error, { repository: name });
      }
      for (const digest of await repositories.contents(name)) kept.add(digest);
    }
    const swept = await store.sweep({ kept, keepSinceMs, alone: (act) => claims.gate.alone(act) });
    quota.forget();
    return { ...swept, manifestsRemoved };
  }

  async #removeManifests(name: RepositoryName): Promise<number> {
    const { untaggedLifetimeMs, inUse, isCopy } = this.#policy;
    const isCopied = isCopy(name);
    const lifetimeMs = isCopied ? copyLifetimeMs : untaggedLifetimeMs;
    if (lifetimeMs === undefined) return 0;
    const used = inUse === undefined ? [] : await inUse();
    if (used === undefined) return 0;
    const { repositories, claims, clock } = this.#parts;
    const keepSinceMs = clock.wallMs() - lifetimeMs;
    const nodes = await this.#nodes(name);
    const roots = new Set<string>(used);
    if (!isCopied) {
      for (const tag of await repositories.tags(name)) roots.add((await repositories.tag(name, tag)) ?? "");
    }
    for (const { digest } of nodes) {
      if (((await repositories.manifestNamedMs(name, digest)) ?? 0) >= keepSinceMs) roots.add(digest);
    }
    const held = heldBy(nodes, roots);
    let removed = 0;
    for (const { digest } of nodes) {
      if (held.has(digest)) continue;
      await claims.gate.alone(async () => {
        // It may have been named, or asked for, since.
        if (((await repositories.manifestNamedMs(name, digest)) ?? Infinity) >= keepSinceMs) return;
        if (await repositories.removeManifest(name, digest)) removed++;
      });
    }
    return removed;
  }

  /** Takes from a repository the blobs that none of its manifests names. */
  async #removeNames(name: RepositoryName, keepSinceMs: number): Promise<void> {
    const { repositories, claims } = this.#parts;
    const named = new Set((await this.#nodes(name)).flatMap((node) => node.references));
    for (const digest of await repositories.blobs(name)) {
      if (named.has(digest)) continue;
      if (((await repositories.blobNamedMs(name, digest)) ?? Infinity) >= keepSinceMs) continue;
      await claims.gate.alone(async () => {
        const namedMs = await repositories.blobNamedMs(name, digest);
        if (namedMs !== undefined && namedMs < keepSinceMs) await repositories.removeBlob(name, digest);
      });
    }
  }

  /** @throws ImageFault when a manifest cannot be read */
  async #nodes(name: RepositoryName): Promise<readonly Node[]> {
    const { store, repositories } = this.#parts;
    const nodes: Node[] = [];
    for (const digest of await repositories.manifests(name)) {
      const link = await repositories.manifest(name, digest);
      // Removed since it was listed.
      if (link === undefined) continue;
      const document = parseManifest(await store.readBytes({ digest, size: link.size }), link.mediaType);
      const references = referencesOf(document).map((child) => child.digest);
      nodes.push({ digest, references, subject: document.subject?.digest });
    }
    return nodes;
  }
}

/** What the roots hold: what they name, what that names, and what refers to any of it. */
function heldBy(nodes: readonly Node[], roots: ReadonlySet<string>): ReadonlySet<string> {
  const byDigest = new Map<string, Node>(nodes.map((node) => [node.digest, node]));
  const bySubject = Map.groupBy(nodes, (node): string => node.subject ?? "");
  const held = new Set<string>();
  const open = [...roots];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    if (held.has(digest)) continue;
    held.add(digest);
    open.push(...(byDigest.get(digest)?.references ?? []));
    open.push(...(bySubject.get(digest) ?? []).map((node) => node.digest));
  }
  return held;
}
