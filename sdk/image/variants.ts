import type { Digest } from "./digest.ts";
import { ImageFault } from "./fault.ts";
import {
  type ComponentFacts,
  type Descriptor,
  formatPlatform,
  type ImageIndex,
  type ImageManifest,
  type ManifestDocument,
  parseImageConfig,
  parseManifest,
  parseWasmConfig,
  type Platform,
} from "./manifest.ts";
import { isImageConfigType, isIndexType, isTarLayerType, isWasmConfigType, isWasmLayerType } from "./media-types.ts";

/** One manifest of an image that says how the program can run. */
export type Variant = WasmVariant | NativeVariant;

export interface WasmVariant {
  readonly kind: "wasm";
  readonly digest: Digest;
  /** `wasip2/wasm`, `wasip1/wasm`, `wasi/wasm`. */
  readonly platform: Platform;
  readonly manifest: Descriptor;
  readonly content: WasmContent;
  /** What the config says of imports and exports; absent in conventions that do not say. */
  readonly component?: ComponentFacts;
  readonly sizeBytes: number;
}

/** Where the Wasm file is: a layer of its own, or a file in a root file system. */
export type WasmContent =
  | { readonly form: "file"; readonly layer: Descriptor }
  | { readonly form: "rootfs"; readonly layers: readonly Descriptor[]; readonly path: string };

export interface NativeVariant {
  readonly kind: "native";
  readonly digest: Digest;
  /** `linux/amd64`, `linux/arm64/v8`, … */
  readonly platform: Platform;
  readonly manifest: Descriptor;
  /** Bytes of the layers as they are transferred; undefined until its manifest was read. */
  readonly sizeBytes?: number;
}

export interface VariantList {
  readonly variants: readonly Variant[];
  /** Entries that are no variant, each with the reason in words: attestations, artifacts, other systems. */
  readonly skipped: readonly { readonly digest: Digest; readonly reason: string }[];
}

/** Gives the bytes of a manifest or config of the image, verified. */
export type ReadBlob = (descriptor: Descriptor) => Promise<Uint8Array>;

/** An index in an index in an index: more nesting has no use, and could go on for ever. */
const indexDepthMax = 3;
/** Manifests that are opened to see what they are; the rest of an index is told by its `platform`. */
const manifestsReadMax = 64;

interface Reading {
  readonly read: ReadBlob;
  readonly variants: Variant[];
  readonly skipped: { digest: Digest; reason: string }[];
  /** Open the native manifests too, for their sizes. */
  readonly sizes: boolean;
  readCount: number;
}

/**
 * The variants of an image, in the order of its index. Every Wasm convention is recognised: the CNCF artifact, a Wasm
 * layer under an image config, a Wasm file in a root file system, and the older artifact types. Native entries are
 * taken from the index as they stand, so that an image of twenty platforms costs one request, unless `sizes` asks for
 * more. Attestations and foreign artifacts are skipped, as the image specification wants for unknown types.
 *
 * @throws ImageFault MANIFEST_INVALID | TOO_LARGE, and what `read` throws
 */
export async function readVariants(
  root: { readonly descriptor: Descriptor; readonly document: ManifestDocument },
  read: ReadBlob,
  options: { readonly sizes?: boolean } = {},
): Promise<VariantList> {
  const reading: Reading = { read, variants: [], skipped: [], sizes: options.sizes ?? false, readCount: 0 };
  await readDocument(reading, root.descriptor, root.document, 0);
  return { variants: reading.variants, skipped: reading.skipped };
}

async function readDocument(
  reading: Reading,
  descriptor: Descriptor,
  document: ManifestDocument,
  depth: number,
): Promise<void> {
  if (document.kind === "index") return readIndex(reading, document, depth);
  const found = await variantOf(reading, descriptor, document);
  if (typeof found === "string") reading.skipped.push({ digest: descriptor.digest, reason: found });
  else reading.variants.push(found);
}

async function readIndex(reading: Reading, index: ImageIndex, depth: number): Promise<void> {
  if (depth >= indexDepthMax) {
    throw new ImageFault("TOO_LARGE", `the index is nested deeper than ${indexDepthMax} levels`);
  }
  for (const entry of index.manifests) {
    const reason = skipReason(entry);
    if (reason !== undefined) {
      reading.skipped.push({ digest: entry.digest, reason });
    } else if (entry.platform !== undefined && entry.platform.os === "linux" && !reading.sizes && !saysWasm(entry)) {
      reading.variants.push({ kind: "native", digest: entry.digest, platform: entry.platform, manifest: entry });
    } else {
      if (++reading.readCount > manifestsReadMax) {
        throw new ImageFault("TOO_LARGE", `the index has more than ${manifestsReadMax} manifests that must be read`);
      }
      const what = `manifest ${entry.digest}`;
      const document = parseManifest(await reading.read(entry), entry.mediaType, what);
      await readDocument(reading, entry, document, depth + 1);
    }
  }
}

const saysWasm = (entry: Descriptor): boolean =>
  entry.platform?.architecture === "wasm" ||
  isWasmConfigType(entry.artifactType ?? "") ||
  isMarkedWasm(entry.annotations ?? {});

/** How crun and youki know a Wasm file in a root file system that says that it is for Linux. */
const isMarkedWasm = (annotations: Readonly<Record<string, string>>): boolean =>
  /^compat(-smart)?$/.test(annotations["module.wasm.image/variant"] ?? "") || annotations["run.oci.handler"] === "wasm";

/** Where Istio's images in that form have it, which name no entrypoint. */
const pluginPath = "plugin.wasm";

/** What the conventions know: `wasip1` and `wasip2` say what the file is, everything else (Spin: `Wasip1`) does not. */
const wasmPlatform = (os: string): Platform => ({
  os: os === "wasip1" || os === "wasip2" ? os : "wasi",
  architecture: "wasm",
});

function skipReason(entry: Descriptor): string | undefined {
  const referenceType = entry.annotations?.["vnd.docker.reference.type"];
  if (referenceType !== undefined) return `it is an ${referenceType.slice(0, 60)}`;
  if (entry.platform?.os === "unknown") return "its platform is unknown";
  if (saysWasm(entry) || isIndexType(entry.mediaType)) return undefined;
  if (entry.platform !== undefined && entry.platform.os !== "linux") {
    return `it is for ${formatPlatform(entry.platform).slice(0, 60)}`;
  }
  return undefined;
}

/** The variant that a manifest is, or why it is none. */
async function variantOf(reading: Reading, manifest: Descriptor, document: ImageManifest): Promise<Variant | string> {
  const sizeBytes = document.layers.reduce((sum, layer) => sum + layer.size, 0);
  const wasmLayers = document.layers.filter((layer) => isWasmLayerType(layer.mediaType));
  const base = { digest: manifest.digest, manifest, sizeBytes };
  if (wasmLayers.length > 0) {
    const [layer] = wasmLayers;
    // CNCF: "Wasm components must have exactly one layer"; of several nobody says which to run.
    if (layer === undefined || wasmLayers.length > 1) return `it has ${wasmLayers.length} Wasm layers, one is runnable`;
    const config = await wasmConfig(reading, manifest, document.config);
    return { kind: "wasm", ...base, ...config, content: { form: "file", layer } };
  }
  if (!isImageConfigType(document.config.mediaType)) return `its config is ${document.config.mediaType.slice(0, 100)}`;
  const foreign = document.layers.find((layer) => !isTarLayerType(layer.mediaType));
  if (foreign !== undefined) return `it has a layer of type ${foreign.mediaType.slice(0, 100)}`;
  const config = parseImageConfig(await reading.read(document.config), `config of ${manifest.digest}`);
  // Docker's own build sets the platform in the index only, when the base image is `scratch`.
  const platform = manifest.platform ?? config.platform;
  const isMarked = isMarkedWasm({ ...config.labels, ...document.annotations, ...manifest.annotations });
  if (isMarked || platform.architecture === "wasm" || platform.architecture === "wasm32") {
    const path = [...config.entrypoint, ...config.cmd][0] ?? (isMarked ? pluginPath : undefined);
    if (path === undefined) return "it has a Wasm root file system and names no entrypoint in it";
    const content = { form: "rootfs", layers: document.layers, path } as const;
    return { kind: "wasm", ...base, platform: wasmPlatform(platform.os), content };
  }
  if (platform.os !== "linux") return `it is for ${formatPlatform(platform).slice(0, 60)}`;
  return { kind: "native", ...base, platform };
}

async function wasmConfig(
  reading: Reading,
  manifest: Descriptor,
  config: Descriptor,
): Promise<{ readonly platform: Platform; readonly component?: ComponentFacts }> {
  const fromIndex = manifest.platform;
  const usable = isWasmConfigType(config.mediaType) || isImageConfigType(config.mediaType);
  // Older artifacts have an empty or private config, which tells nothing.
  if (!usable || config.size < 2) return { platform: wasmPlatform(fromIndex?.os ?? "wasi") };
  const parsed = parseWasmConfig(await reading.read(config), `config of ${manifest.digest}`);
  return { ...parsed, platform: wasmPlatform((fromIndex ?? parsed.platform).os) };
}
