import {
  type ContentStore,
  type Descriptor,
  formatPlatform,
  formatReference,
  ImageFault,
  type ImageManifest,
  type ImageTags,
  isForeignLayerType,
  isForPlatform,
  isWasmConfigType,
  mediaType,
  parseManifest,
  parseReference,
  type Platform,
  pullImage,
  type RegistryClient,
  type StoredLayer,
} from "@shallop/sdk/image";
import { type Clock, SingleFlight } from "@shallop/sdk/internal";
import { DockerfileFault } from "@shallop/sdk/wire";
import { type ImageDescription, readImageDescription } from "./container-config.ts";

/** An image that is built upon, all of it in the store. */
export interface BaseImage {
  readonly description: ImageDescription;
  readonly layers: readonly StoredLayer[];
}

export interface BaseImagesOptions {
  readonly store: ContentStore;
  readonly tags: ImageTags;
  readonly client: RegistryClient;
  readonly clock: Clock;
  readonly defaultRegistry: string;
  /** Ask registries for images that are here already. */
  readonly pull: boolean;
}

/** As Docker's bound, and a node's. */
export const layersMax = 127;

/** Base images: of this machine's store, or from registries into it. */
export class BaseImages {
  readonly #options: BaseImagesOptions;
  readonly #fetching = new SingleFlight<string, BaseImage>();
  readonly #pulled = new Set<string>();

  constructor(options: BaseImagesOptions) {
    this.#options = options;
  }

  /** @throws ImageFault as pullImage | DockerfileFault BASE_INVALID */
  get(text: string, platform: Platform, signal: AbortSignal): Promise<BaseImage> {
    return this.#fetching.run(`${text} ${formatPlatform(platform)}`, () => this.#get(text, platform, signal));
  }

  async #get(text: string, platform: Platform, signal: AbortSignal): Promise<BaseImage> {
    const { store, tags, client, clock, pull, defaultRegistry } = this.#options;
    const reference = parseReference(text, { defaultRegistry });
    const name = formatReference(reference);
    const known = reference.digest === undefined ? await tags.get(reference) : undefined;
    const mayKeep = !pull || this.#pulled.has(name);
    let here: Error | undefined;
    if (known !== undefined && mayKeep) {
      const found = await this.#read(known.target, platform, name).catch((error: unknown) => {
        // Not all of it is here, or not for this platform: the registry may have more.
        if (error instanceof ImageFault || error instanceof DockerfileFault) return error;
        throw error;
      });
      if (!(found instanceof Error)) return found;
      here = found;
    }
    try {
      const target = await pullImage(client, store, reference, {
        signal,
        select: (entry) => isForPlatform(entry.platform, platform),
      });
      if (reference.digest === undefined) await tags.set(reference, target, clock.wallMs());
      this.#pulled.add(name);
      return await this.#read(target, platform, name);
    } catch (error) {
      // What is here is the nearer answer to why it is not what is wanted.
      if (here instanceof DockerfileFault && isNotThere(error)) throw here;
      throw withHint(error, text, name);
    }
  }

  async #read(target: Descriptor, platform: Platform, name: string): Promise<BaseImage> {
    const { store } = this.#options;
    const manifest = await this.#manifestFor(target, platform, name);
    if (isWasmConfigType(manifest.config.mediaType))
      throw new DockerfileFault("BASE_INVALID", `${name} is a Wasm component, which has no files to build upon`);
    const description = readImageDescription(await store.readBytes(manifest.config), `the config of ${name}`);
    const { diffIds } = description;
    if (diffIds.length !== manifest.layers.length)
      throw new ImageFault(
        "MANIFEST_INVALID",
        `${name} has ${manifest.layers.length} layers, its config ${diffIds.length} diff ids`,
      );
    if (diffIds.length > layersMax)
      throw new DockerfileFault(
        "BASE_INVALID",
        `${name} has ${diffIds.length} layers; an image has at most ${layersMax}`,
      );
    const layers: StoredLayer[] = [];
    for (const [index, layer] of manifest.layers.entries()) {
      const diffId = diffIds[index];
      if (isForeignLayerType(layer.mediaType) || diffId === undefined)
        throw new DockerfileFault("BASE_INVALID", `${name} has a layer that registries do not give out`);
      if (!(await store.has(layer.digest)))
        throw new ImageFault("BLOB_UNKNOWN", `the store has no ${layer.digest} of ${name}`);
      layers.push({ descriptor: ociLayer(layer), diffId });
    }
    if (!isForPlatform(description.platform, platform)) throw notFor(name, platform, [description.platform]);
    return { description, layers };
  }

  async #manifestFor(target: Descriptor, platform: Platform, name: string): Promise<ImageManifest> {
    const { store } = this.#options;
    const document = parseManifest(await store.readBytes(target), target.mediaType, `the manifest of ${name}`);
    if (document.kind === "manifest") return document;
    const entry =
      document.manifests.find(
        (one) => isForPlatform(one.platform, platform) && one.platform?.variant === platform.variant,
      ) ?? document.manifests.find((one) => isForPlatform(one.platform, platform));
    if (entry === undefined) {
      const there = document.manifests.flatMap((one) => one.platform ?? []);
      throw notFor(name, platform, there);
    }
    return this.#manifestFor(entry, platform, name);
  }
}

function notFor(name: string, wanted: Platform, has: readonly Platform[]): DockerfileFault {
  const there = [...new Set(has.map(formatPlatform))].join(", ") || "none with a platform";
  const message = `${name} has no variant for ${formatPlatform(wanted)}; it has ${there}`;
  return new DockerfileFault("BASE_INVALID", message);
}

const isNotThere = (error: unknown): boolean =>
  error instanceof ImageFault && (error.code === "MANIFEST_UNKNOWN" || error.code === "REGISTRY_UNREACHABLE");

/** A layer of Docker's type is the same bytes under OCI's. */
function ociLayer({ mediaType: type, digest, size }: Descriptor): Descriptor {
  const docker: Readonly<Record<string, string>> = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": mediaType.layerTarGzip,
    "application/vnd.docker.image.rootfs.diff.tar": mediaType.layerTar,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": mediaType.layerTarZstd,
  };
  return { mediaType: docker[type] ?? type, digest, size };
}

/** Whoever writes `FROM alpine` often means Docker Hub's. */
function withHint(error: unknown, text: string, name: string): unknown {
  if (!(error instanceof ImageFault) || text === name || text.includes("/")) return error;
  if (!isNotThere(error)) return error;
  const message = `${error.message}; a name without a host is one of the built-in registry: for Docker Hub's write docker.io/library/${text}`;
  return new ImageFault(error.code, message, { cause: error, retryable: error.retryable });
}
