import { join } from "node:path";
import {
  ContentStore,
  type Descriptor,
  type Digest,
  type Expected,
  formatReference,
  type ImageConfig,
  ImageFault,
  type ImageManifest,
  type ImageReference,
  isDigest,
  isForeignLayerType,
  manifestBlob,
  type ManifestBlob,
  type OnProgress,
  parseImageConfig,
  parseManifest,
  readVariants,
  type RegistryClient,
  type Variant,
  type VariantList,
  type WasmVariant,
} from "@shallop/sdk/image";
import {
  type Clock,
  errorCode,
  type Log,
  type Random,
  silentLog,
  systemClock,
  systemRandom,
} from "@shallop/sdk/internal";
import { userMap } from "../sandbox/kernel/user-map.ts";
import { LayerDirectory } from "./layer-directory.ts";
import type { LocalImage, LocalNativeImage, LocalWasmImage } from "./local-image.ts";
import type { PrivilegePolicy } from "./layer-rewriter.ts";
import { idsOfImages, NativeLayers, type UnpackLimits } from "./native-layers.ts";
import { SharedWork } from "./shared-work.ts";
import { UnpackJail } from "./unpack-jail.ts";
import { WasmFiles } from "./wasm-files.ts";

export interface NodeImagesOptions {
  /** The node's image data; one process at a time uses it. */
  readonly directory: string;
  readonly client: RegistryClient;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  readonly limits?: Partial<UnpackLimits>;
  /** What layers may bring; nothing that gives privileges unless said. */
  readonly privileges?: Partial<PrivilegePolicy>;
  /** What is made of components, in the same store. */
  readonly prepared?: ComponentLeftovers;
}

/** What is kept in the store for components: it goes with their images. */
export interface ComponentLeftovers {
  /** @returns the blobs that stay: those of components in use, and of what was used after `keepSinceMs` */
  collect(components: ReadonlySet<string>, keepSinceMs: number): Promise<readonly Digest[]>;
}

/** An image whose reference was looked up: which bytes it is, and what it can run as. */
export interface ResolvedImage extends VariantList {
  readonly reference: ImageReference;
  /** Of its index or manifest. */
  readonly digest: Digest;
}

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress;
}

export interface ImageUsage {
  /** Blobs: manifests, components, what they were prepared to, layers on their way. */
  readonly blobBytes: number;
  /** Unpacked layers. */
  readonly layerBytes: number;
}

interface ReachedManifest {
  readonly digest: Digest;
  readonly layers: readonly Digest[];
  /** Of its unpacked layers. */
  readonly layerKeys: readonly string[];
}

const missingCodes: ReadonlySet<string> = new Set(["BLOB_UNKNOWN", "SIZE_MISMATCH", "DIGEST_MISMATCH"]);

/** What was pulled for a start that has not happened yet is not garbage. */
const keepMs = 10 * 60_000;

const limitsDefault: UnpackLimits = {
  // The largest images in use (CUDA, models) have layers of some 10 GiB.
  archiveBytesMax: 16 * 1024 ** 3,
  // A distribution with a compiler has 200,000 files.
  entriesMax: 500_000,
  // The kernel's bound is 500, and the pod's own layer is one of them. Docker builds 127 at most.
  layersMax: 499,
};

const privilegesDefault: PrivilegePolicy = { setIds: false, capabilities: false, devices: false };

/**
 * The images of a node: pulled, verified, unpacked, kept over restarts, and let go of. Everything is found by digest,
 * so what is here needs no registry.
 */
export class NodeImages {
  readonly #store: ContentStore;
  /** The same blobs, as they are fetched: nobody waits for the disk, because what a loss of power cuts short is fetched again. */
  readonly #fetched: ContentStore;
  readonly #client: RegistryClient;
  readonly #clock: Clock;
  readonly #layers: LayerDirectory;
  readonly #native: NativeLayers;
  readonly #wasm: WasmFiles;
  readonly #prepared: ComponentLeftovers | undefined;
  readonly #fetching = new SharedWork<LocalImage>();
  readonly #downloading = new SharedWork<void>();
  readonly #log: Log;

  private constructor(
    parts: {
      readonly store: ContentStore;
      readonly fetched: ContentStore;
      readonly layers: LayerDirectory;
      readonly wasm: WasmFiles;
      readonly native: NativeLayers;
    },
    options: NodeImagesOptions,
  ) {
    this.#store = parts.store;
    this.#fetched = parts.fetched;
    this.#layers = parts.layers;
    this.#wasm = parts.wasm;
    this.#native = parts.native;
    this.#prepared = options.prepared;
    this.#client = options.client;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
  }

  /** @throws ImageFault STORE_FAILED */
  static async open(options: NodeImagesOptions): Promise<NodeImages> {
    const { directory } = options;
    const random = options.random ?? systemRandom;
    const limits = { ...limitsDefault, ...options.limits };
    const isRoot = process.getuid?.() === 0;
    const users = userMap();
    const store = await ContentStore.open(directory, { random });
    const fetched = await ContentStore.open(directory, { random, lasts: false });
    const layers = await LayerDirectory.open(join(directory, "layers"), random);
    const jail = new UnpackJail(options.clock ?? systemClock, isRoot, isRoot && users.idCount >= idsOfImages);
    const privileges = { ...privilegesDefault, ...options.privileges };
    const native = new NativeLayers({ store, layers, jail, limits, privileges, isRoot: isRoot && users.isWhole });
    const wasm = await WasmFiles.open({ directory: join(directory, "wasm"), store, jail, limits, random });
    return new NodeImages({ store, fetched, layers, wasm, native }, options);
  }

  /**
   * Looks an image up. With a digest that was seen before no registry is asked.
   *
   * @throws ImageFault MANIFEST_UNKNOWN | MANIFEST_INVALID | DIGEST_MISMATCH | TOO_LARGE | UNAUTHORIZED | DENIED |
   *   REGISTRY_UNREACHABLE | RATE_LIMITED | REGISTRY_INVALID | STORE_FAILED
   */
  async resolve(reference: ImageReference, signal: AbortSignal): Promise<ResolvedImage> {
    const root = (await this.#known(reference)) ?? (await this.#client.manifest(reference, signal));
    // What has come is kept while the next is on its way.
    const kept: Promise<void>[] = [];
    const keep = (bytes: Uint8Array, descriptor: Descriptor): void => {
      const keeping = this.#keep(bytes, descriptor);
      // Its failure is told when all that was asked for is there.
      keeping.catch(() => undefined);
      kept.push(keeping);
    };
    keep(root.bytes, root.descriptor);
    const list = await readVariants(root, async (descriptor) => {
      const { bytes, isNew } = await this.#bytes(reference, descriptor, signal);
      if (isNew) keep(bytes, descriptor);
      return bytes;
    });
    await Promise.all(kept);
    return { reference, digest: root.descriptor.digest, ...list };
  }

  /**
   * Brings a variant onto this node, ready to start. Quick when it is here. Asked for by several at once, it is fetched
   * once.
   *
   * @throws ImageFault as `resolve`, and BLOB_UNKNOWN | SIZE_MISMATCH | LAYER_INVALID | UNSUPPORTED
   */
  async fetch(image: ResolvedImage, variant: Variant, options: FetchOptions): Promise<LocalImage> {
    return this.#fetching.run(variant.digest, options.signal, async (signal) => {
      const shared = { ...options, signal };
      const startMs = this.#clock.nowMs();
      const local =
        variant.kind === "wasm"
          ? await this.#fetchWasm(image, variant, shared)
          : await this.#fetchNative(image, variant, shared);
      const tookMs = Math.round(this.#clock.nowMs() - startMs);
      this.#log.debug("image fetched", { image: formatReference(image.reference), variant: variant.digest, tookMs });
      return local;
    });
  }

  /** What the images take on this node. */
  async usage(): Promise<ImageUsage> {
    let blobBytes = 0;
    for await (const blob of this.#store.list()) blobBytes += blob.sizeBytes;
    const layers = await this.#layers.list();
    return { blobBytes, layerBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0) };
  }

  /**
   * Lets go of everything that no image in use needs.
   *
   * @param images digests of those in use, or of their variants' manifests
   */
  async collect(images: Iterable<string>): Promise<{ readonly removedBytes: number }> {
    const roots = [...images].filter(isDigest);
    const { components, manifests } = await this.#reached(roots);
    const keepSinceMs = this.#clock.wallMs() - keepMs;
    // Most components are a layer as it is.
    const inUse = new Set<string>([...components, ...manifests.flatMap(({ layers }) => layers)]);
    const prepared = (await this.#prepared?.collect(inUse, keepSinceMs)) ?? [];
    const { removedBytes } = await this.#store.collect({ roots: [...roots, ...components, ...prepared], keepSinceMs });
    await this.#wasm.collect(new Set(manifests.map((manifest) => manifest.digest)), keepSinceMs);
    const keys = new Set(manifests.flatMap((manifest) => manifest.layerKeys));
    let layerBytes = 0;
    for (const layer of await this.#layers.list()) {
      if (keys.has(layer.key) || layer.writtenMs >= keepSinceMs) continue;
      await this.#layers.remove(layer.key);
      layerBytes += layer.sizeBytes;
    }
    return { removedBytes: removedBytes + layerBytes };
  }

  /** The variants below some images, with what each needs that is not a blob that its manifest names. */
  async #reached(roots: readonly Digest[]): Promise<{
    readonly components: readonly Digest[];
    readonly manifests: readonly ReachedManifest[];
  }> {
    const components: Digest[] = [];
    const manifests: ReachedManifest[] = [];
    const open = [...roots];
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      const bytes = await this.#stored({ digest });
      if (bytes === undefined) continue;
      const document = parseManifest(bytes, undefined, `the manifest ${digest}`);
      if (document.kind === "index") {
        open.push(...document.manifests.map((child) => child.digest));
        continue;
      }
      const component = await this.#wasm.known(digest);
      if (component !== undefined) components.push(component.digest);
      const layers = document.layers.map((layer) => layer.digest);
      manifests.push({ digest, layers, layerKeys: await this.#layerKeys(document) });
    }
    return { components, manifests };
  }

  async #layerKeys(manifest: ImageManifest): Promise<readonly string[]> {
    if (!(await this.#store.has(manifest.config.digest))) return [];
    try {
      return this.#native.keysOf(parseImageConfig(await this.#store.readBytes(manifest.config)));
    } catch (error) {
      // The config of a Wasm artifact is none of an image.
      if (error instanceof ImageFault) return [];
      throw error;
    }
  }

  async #known({ digest }: ImageReference): Promise<ManifestBlob | undefined> {
    const bytes = digest && (await this.#stored({ digest }));
    return bytes && manifestBlob(bytes, parseManifest(bytes, undefined, `the manifest ${digest}`), digest);
  }

  /** A manifest or config: from the store, or from the registry; then it is to be kept. */
  async #bytes(
    reference: ImageReference,
    descriptor: Descriptor,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Uint8Array; readonly isNew: boolean }> {
    const stored = await this.#stored(descriptor);
    if (stored !== undefined) return { bytes: stored, isNew: false };
    return { bytes: await this.#client.bytes(reference, descriptor, signal), isNew: true };
  }

  async #kept(reference: ImageReference, descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array> {
    const { bytes, isNew } = await this.#bytes(reference, descriptor, signal);
    if (isNew) await this.#keep(bytes, descriptor);
    return bytes;
  }

  /** Their digest was right a moment ago. */
  async #keep(bytes: Uint8Array, { digest }: Descriptor): Promise<void> {
    await this.#fetched.putBytes(bytes, digest);
  }

  /** Undefined when it is to be fetched. What a loss of power has spoilt makes room for it. */
  async #stored(blob: Expected): Promise<Uint8Array | undefined> {
    try {
      return await this.#store.readBytes(blob);
    } catch (error) {
      if (!(error instanceof ImageFault) || !missingCodes.has(error.code)) throw error;
      await this.#store.remove(blob.digest);
      return undefined;
    }
  }

  async #fetchWasm(image: ResolvedImage, variant: WasmVariant, options: FetchOptions): Promise<LocalWasmImage> {
    const download = (layer: Descriptor): Promise<void> => this.#download(image, layer, options);
    const component = await this.#wasm.component(variant, download, options.signal);
    return {
      variant: "wasm",
      digest: variant.digest,
      componentDigest: component.digest,
      componentPath: this.#store.path(component.digest),
      ...(variant.component === undefined ? {} : { listedImports: variant.component.imports }),
      sizeBytes: component.sizeBytes,
    };
  }

  async #fetchNative(image: ResolvedImage, variant: Variant, options: FetchOptions): Promise<LocalNativeImage> {
    const what = `the manifest ${variant.digest}`;
    const { signal } = options;
    const document = parseManifest(
      await this.#kept(image.reference, variant.manifest, signal),
      variant.manifest.mediaType,
      what,
    );
    if (document.kind !== "manifest")
      throw new ImageFault("MANIFEST_INVALID", `${what} is an index, where an image was expected`);
    const config: ImageConfig = parseImageConfig(await this.#kept(image.reference, document.config, signal));
    const fetchLayer = (layer: Descriptor, stop: AbortSignal): Promise<void> =>
      this.#download(image, layer, { ...options, signal: stop });
    const layers = await this.#native.unpack({ manifest: document, config }, fetchLayer, signal);
    const { env, entrypoint, cmd, workingDir, user, exposedPorts, stopSignal } = config;
    return {
      variant: "native",
      digest: variant.digest,
      layerPaths: layers.map((layer) => layer.path),
      config: { env, entrypoint, cmd, workingDir, user, exposedPorts, stopSignal },
      sizeBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0),
    };
  }

  #download(image: ResolvedImage, blob: Descriptor, options: FetchOptions): Promise<void> {
    return this.#downloading.run(blob.digest, options.signal, async (signal) => {
      // The client lets a few through at once, of all images together.
      const stream = this.#client.blob(image.reference, blob, { signal, onProgress: options.onProgress });
      await this.#fetched.ingest(stream, blob, signal).catch((error: unknown) => {
        throw isForeignLayerType(blob.mediaType) ? foreignFault(blob, error) : error;
      });
    });
  }
}

/** Bytes that the image says are somewhere else: nothing is fetched from an address that an image names. */
function foreignFault({ digest, mediaType }: Descriptor, error: unknown): unknown {
  if (errorCode(error) !== "BLOB_UNKNOWN") return error;
  const why = `its registry has no bytes of the layer ${digest}, which is of the type ${mediaType} and kept elsewhere`;
  const what =
    "layers come from the image's registry only; push the image again with all of them (skopeo copy, crane copy)";
  return new ImageFault("BLOB_UNKNOWN", `${why}; ${what}`, { cause: error });
}
