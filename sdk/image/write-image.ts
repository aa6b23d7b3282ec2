import { type ContentStore, fileBytes, storing } from "./content-store.ts";
import { ImageFault } from "./fault.ts";
import { packDirectory, storeArchiveFile, type StoredLayer } from "./layer-archive.ts";
import type { ComponentFacts, Descriptor, Platform } from "./manifest.ts";
import { mediaType } from "./media-types.ts";

/** What an image is made of. */
export interface ImageSource {
  readonly wasm?: WasmSource;
  readonly native?: readonly (NativeSource | StoredVariant)[];
  /** On the index and on each manifest: `org.opencontainers.image.version` and its peers. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What `created` and the times of files say, milliseconds since the epoch; 0 unless given (SOURCE_DATE_EPOCH). */
  readonly createdMs?: number;
}

export interface WasmSource {
  /** The component, or for `wasip1` the core module. */
  readonly path: string;
  /** `wasip2` for every component, those of WASI 0.3 too: readers know no other. */
  readonly os?: "wasip2" | "wasip1";
  readonly component: ComponentFacts;
  /** File name that tools save it under. */
  readonly title?: string;
}

export interface NativeSource {
  readonly platform: Platform;
  /** The base first. */
  readonly layers: readonly LayerSource[];
  readonly config: NativeConfigSource;
}

/** A native variant that is in the store already: its manifest, with its platform. */
export interface StoredVariant {
  readonly manifest: Descriptor;
}

export type LayerSource =
  | { readonly directory: string }
  /** An archive, compressed with gzip or not. */
  | { readonly archive: string }
  /** A layer of another image that is in the store: of a base image. */
  | { readonly stored: StoredLayer };

export interface NativeConfigSource {
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
  /** `8080/tcp`. */
  readonly exposedPorts?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

export interface WrittenImage {
  readonly index: Descriptor;
  /** The Wasm manifest, which the extra tag points at. */
  readonly wasm?: Descriptor;
  readonly native: readonly Descriptor[];
}

/**
 * Writes an image into the store: an index with the native variants first and the CNCF Wasm artifact last, a platform
 * on each. The same source gives the same digest. Native first, because readers that know no platforms take the first;
 * a platform on each, because readers that know them take an entry without one for theirs.
 *
 * @throws ImageFault MANIFEST_INVALID when there is no variant | LAYER_INVALID | STORE_FAILED
 */
export async function writeImage(store: ContentStore, source: ImageSource): Promise<WrittenImage> {
  if (source.wasm === undefined && (source.native ?? []).length === 0) {
    throw new ImageFault("MANIFEST_INVALID", "an image needs a Wasm variant or a native one");
  }
  const native: Descriptor[] = [];
  for (const variant of source.native ?? [])
    native.push("manifest" in variant ? variant.manifest : await writeNative(store, source, variant));
  const wasm = source.wasm === undefined ? undefined : await writeWasm(store, source, source.wasm);
  const index = await putJson(store, mediaType.index, {
    schemaVersion: 2,
    mediaType: mediaType.index,
    manifests: wasm === undefined ? native : [...native, wasm],
    ...annotationsOf(source),
  });
  return { index, native, ...(wasm === undefined ? {} : { wasm }) };
}

/** CNCF TAG-Runtime, "Wasm OCI Artifact": one layer, which is the file itself; `layerDigests` makes the config unique. */
async function writeWasm(store: ContentStore, source: ImageSource, wasm: WasmSource): Promise<Descriptor> {
  const blob = await storing(`reading ${wasm.path}`, () => store.ingestUnnamed(fileBytes(wasm.path)));
  const os = wasm.os ?? "wasip2";
  const { imports, exports, target } = wasm.component;
  const config = await putJson(store, mediaType.wasmConfig, {
    created: createdText(source),
    author: null,
    architecture: "wasm",
    os,
    layerDigests: [blob.digest],
    ...(os === "wasip1" ? {} : { component: { exports, imports, ...(target === undefined ? {} : { target }) } }),
  });
  const manifest = await putJson(store, mediaType.manifest, {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config,
    layers: [
      {
        mediaType: mediaType.wasmLayer,
        digest: blob.digest,
        size: blob.sizeBytes,
        annotations: { "org.opencontainers.image.title": wasm.title ?? "app.wasm" },
      },
    ],
    ...annotationsOf(source),
  });
  // The hint spares a reader the manifest; tools that do not know it were seen to ignore it.
  return { ...manifest, platform: { architecture: "wasm", os }, artifactType: mediaType.wasmConfig };
}

async function writeNative(store: ContentStore, source: ImageSource, native: NativeSource): Promise<Descriptor> {
  const { platform } = native;
  const layers: StoredLayer[] = [];
  for (const layer of native.layers) layers.push(await storeLayer(store, source, layer));
  const platformFields = {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
  };
  const config = await putJson(store, mediaType.config, {
    created: createdText(source),
    ...platformFields,
    config: nativeConfig(native.config),
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created: createdText(source), created_by: "shallop build" })),
  });
  const manifest = await putJson(store, mediaType.manifest, {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config,
    layers: layers.map((layer) => layer.descriptor),
    ...annotationsOf(source),
  });
  return { ...manifest, platform: platformFields };
}

async function storeLayer(store: ContentStore, source: ImageSource, layer: LayerSource): Promise<StoredLayer> {
  if ("directory" in layer) return packDirectory(store, layer.directory, source.createdMs ?? 0);
  if ("archive" in layer) return storeArchiveFile(store, layer.archive);
  return layer.stored;
}

/** Field names of the image specification, "Image Configuration". What is empty is left out. */
function nativeConfig(config: NativeConfigSource): Readonly<Record<string, unknown>> {
  const ports = config.exposedPorts ?? [];
  const fields = {
    User: config.user ?? "",
    ExposedPorts: Object.fromEntries([...ports].sort().map((port) => [port, {}])),
    Env: config.env ?? [],
    Entrypoint: config.entrypoint ?? [],
    Cmd: config.cmd ?? [],
    WorkingDir: config.workingDir ?? "",
    Labels: sorted(config.labels ?? {}),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => Object.keys(value).length > 0));
}

const createdText = (source: ImageSource): string =>
  new Date(source.createdMs ?? 0).toISOString().replace(".000Z", "Z");

function annotationsOf(source: ImageSource): { readonly annotations?: Readonly<Record<string, string>> } {
  const annotations = sorted(source.annotations ?? {});
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

/** By key: the order in which a program happened to set them must not change the digest. */
const sorted = (map: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));

const putJson = (store: ContentStore, type: string, document: unknown): Promise<Descriptor> =>
  store.put(new TextEncoder().encode(JSON.stringify(document)), type);
