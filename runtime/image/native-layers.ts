import {
  type ContentStore,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  type ImageConfig,
  ImageFault,
  type ImageManifest,
} from "@shallop/sdk/image";
import { chainedLayerKey, chainIds, type LayerDirectory, layerKey, type UnpackedLayer } from "./layer-directory.ts";
import { Turnstile } from "@shallop/sdk/internal";
import type { PrivilegePolicy } from "./layer-rewriter.ts";
import { SharedWork } from "./shared-work.ts";
import { type JailLimits, NeedsLowers, type UnpackJail } from "./unpack-jail.ts";

export interface UnpackLimits {
  /** Bytes of a layer's archive, decompressed. */
  readonly archiveBytesMax: number;
  /** Files and directories of a layer. */
  readonly entriesMax: number;
  /** Layers that overlayfs stacks. */
  readonly layersMax: number;
}

/** Gets a layer's compressed bytes into the store. */
export type FetchLayer = (layer: Descriptor, signal: AbortSignal) => Promise<void>;

/** Two: unpacking is bound by the disk and by one core each, and requests have to be served meanwhile. */
const unpacksMax = 2;

/** Mark of overlayfs: a directory that hides what is below it. Root of the machine has another one than others (`userxattr`). */
export const opaqueXattr = (isRoot: boolean): string => `${isRoot ? "trusted" : "user"}.overlay.opaque`;

/** Every id that a file of an image may have, nobody's (65534) among them. */
export const idsOfImages = 65_536;

const spoiltCodes: ReadonlySet<string> = new Set(["LAYER_INVALID", "DIGEST_MISMATCH"]);

/** Turns the layers of a native variant into lower directories, each once for all images that share it. */
export class NativeLayers {
  readonly #store: ContentStore;
  readonly #layers: LayerDirectory;
  readonly #jail: UnpackJail;
  readonly #limits: UnpackLimits;
  readonly #opaqueXattr: string;
  readonly #privileges: PrivilegePolicy;
  readonly #unpacking = new SharedWork<UnpackedLayer>();
  readonly #unpacks = new Turnstile(unpacksMax);

  constructor(parts: {
    readonly store: ContentStore;
    readonly layers: LayerDirectory;
    readonly jail: UnpackJail;
    readonly limits: UnpackLimits;
    readonly privileges: PrivilegePolicy;
    readonly isRoot: boolean;
  }) {
    this.#store = parts.store;
    this.#layers = parts.layers;
    this.#jail = parts.jail;
    this.#limits = parts.limits;
    this.#privileges = parts.privileges;
    this.#opaqueXattr = opaqueXattr(parts.isRoot);
  }

  /**
   * All layers, the base first, without those that an opaque root above hides. A layer that an image has twice, as the
   * empty one of many builds, is there once, at its topmost place: all that it shows below it shows there, and overlayfs
   * refuses a directory that it has already.
   *
   * @throws ImageFault MANIFEST_INVALID | LAYER_INVALID | DIGEST_MISMATCH | TOO_LARGE | STORE_FAILED, and those of `fetch`
   */
  async unpack(
    image: { readonly manifest: ImageManifest; readonly config: ImageConfig },
    fetch: FetchLayer,
    signal: AbortSignal,
  ): Promise<readonly UnpackedLayer[]> {
    const { diffIds } = image.config;
    const { layers } = image.manifest;
    if (layers.length !== diffIds.length) {
      throw new ImageFault(
        "MANIFEST_INVALID",
        `the manifest has ${layers.length} layers, its config ${diffIds.length} diff ids`,
      );
    }
    if (layers.length > this.#limits.layersMax) {
      throw new ImageFault(
        "TOO_LARGE",
        `the image has ${layers.length} layers, at most ${this.#limits.layersMax} are run`,
      );
    }
    const chain = chainIds(diffIds);
    const steps = layers.map((layer, index) => {
      const [diffId, chainId] = [diffIds[index], chain[index]];
      if (diffId === undefined || chainId === undefined)
        throw new ImageFault("MANIFEST_INVALID", "a diff id is missing");
      return { layer, diffId, chainId };
    });
    // Layers that stand for themselves at once; then, from the base up, those that do not.
    const alone = await settled(steps.map((step, index) => this.#alone(step, index === 0, fetch, signal)));
    const unpacked: UnpackedLayer[] = [];
    for (const [index, step] of steps.entries()) {
      const lowers = unpacked.map((lower) => lower.path).reverse();
      unpacked.push(alone[index] ?? (await this.#chained(step, lowers, fetch, signal)));
    }
    const hiding = unpacked.findLastIndex((layer) => layer.rootOpaque);
    const visible = hiding < 0 ? unpacked : unpacked.slice(hiding);
    return visible.filter((layer, index) => visible.findLastIndex(({ path }) => path === layer.path) === index);
  }

  /** Layers that the image may use, found or not: what garbage collection keeps. */
  keysOf(config: ImageConfig): readonly string[] {
    return [
      ...config.diffIds.map((diffId) => layerKey(diffId, this.#privileges)),
      ...chainIds(config.diffIds).map((chainId) => chainedLayerKey(chainId, this.#privileges)),
    ];
  }

  /** Undefined when the layer depends on those below. */
  async #alone(
    step: Step,
    isBase: boolean,
    fetch: FetchLayer,
    signal: AbortSignal,
  ): Promise<UnpackedLayer | undefined> {
    const key = layerKey(step.diffId, this.#privileges);
    const chainedKey = chainedLayerKey(step.chainId, this.#privileges);
    const found = (await this.#layers.find(key)) ?? (await this.#layers.find(chainedKey));
    if (found !== undefined) return found;
    try {
      return await this.#once(key, step, { fetch, signal, ...(isBase ? { lowers: [] } : {}) });
    } catch (error) {
      if (error instanceof NeedsLowers) return undefined;
      throw error;
    }
  }

  #chained(step: Step, lowers: readonly string[], fetch: FetchLayer, signal: AbortSignal): Promise<UnpackedLayer> {
    return this.#once(chainedLayerKey(step.chainId, this.#privileges), step, { fetch, signal, lowers });
  }

  #once(
    key: string,
    step: Step,
    how: { readonly fetch: FetchLayer; readonly signal: AbortSignal; readonly lowers?: readonly string[] },
  ): Promise<UnpackedLayer> {
    return this.#unpacking.run(key, how.signal, async (signal) => {
      const found = await this.#layers.find(key);
      if (found !== undefined) return found;
      await how.fetch(step.layer, signal);
      const unpacked = await this.#unpacks
        .pass(() => this.#layers.make(key, (directory) => this.#fill(step, directory, how.lowers, signal)))
        .catch(async (error: unknown) => {
          // A loss of power may have spoilt it on the disk: who tries again fetches it again.
          if (error instanceof ImageFault && spoiltCodes.has(error.code)) await this.#store.remove(step.layer.digest);
          throw error;
        });
      // The files are what is used from now on; kept, the archive would double what an image takes.
      await this.#store.remove(step.layer.digest);
      return unpacked;
    });
  }

  async #fill(
    step: Step,
    directory: string,
    lowers: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly sizeBytes: number; readonly rootOpaque: boolean }> {
    const limits: JailLimits = {
      algorithm: digestAlgorithm(step.diffId),
      archiveBytesMax: this.#limits.archiveBytesMax,
    };
    const outcome = await this.#jail.unpack(
      {
        kind: "unpack",
        ...limits,
        entriesMax: this.#limits.entriesMax,
        opaqueXattr: this.#opaqueXattr,
        privileges: this.#privileges,
        ...(lowers === undefined ? {} : { lowers }),
      },
      { layerPath: this.#store.path(step.layer.digest), directory },
      signal,
    );
    if (outcome.diffHex !== digestHex(step.diffId)) {
      const text = `layer ${step.layer.digest} unpacks to ${outcome.diffHex}, its config promised ${step.diffId}`;
      throw new ImageFault("DIGEST_MISMATCH", text);
    }
    return { sizeBytes: outcome.bytes, rootOpaque: outcome.rootOpaque };
  }
}

interface Step {
  readonly layer: Descriptor;
  readonly diffId: Digest;
  readonly chainId: Digest;
}

/** All results, or the first failure once nothing runs any more. */
async function settled<Value>(work: readonly Promise<Value>[]): Promise<readonly Value[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
