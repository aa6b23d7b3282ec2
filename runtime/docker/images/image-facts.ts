import { isJsonObject, type JsonObject } from "@shallop/sdk/api";
import {
  type Descriptor,
  isImageConfigType,
  type ImageManifest,
  parseManifest,
  readVariants,
  type Variant,
} from "@shallop/sdk/image";
import { imageArchitecture } from "../../image/choose.ts";
import type { ImageLibrary } from "./image-library.ts";

/** What a client is told of an image: of the one variant that would run here. */
export interface ImageFacts {
  readonly variant: Variant | undefined;
  readonly variants: readonly Variant[];
  readonly manifest: ImageManifest | undefined;
  /** The image's config, whole; of a component there is little in it. */
  readonly json: JsonObject;
  /** Docker's `Config`: what containers are made from. */
  readonly config: JsonObject;
}

const nothing: ImageFacts = { variant: undefined, variants: [], manifest: undefined, json: {}, config: {} };

/** @throws ImageFault MANIFEST_INVALID, BLOB_UNKNOWN */
export async function imageFacts({ store }: ImageLibrary, target: Descriptor): Promise<ImageFacts> {
  const document = parseManifest(await store.readBytes(target), target.mediaType, `the manifest ${target.digest}`);
  const read = (blob: Descriptor): Promise<Uint8Array> => store.readBytes(blob);
  // Of an index that was pulled for this machine only, the other manifests are not here.
  const present =
    document.kind === "index" ? { ...document, manifests: await presentIn(store, document.manifests) } : document;
  const { variants } = await readVariants({ descriptor: target, document: present }, read, { sizes: true });
  const variant = preferred(variants);
  if (variant === undefined) return { ...nothing, variants };
  const { manifest } = variant;
  const own = parseManifest(await store.readBytes(manifest), manifest.mediaType, `the manifest ${manifest.digest}`);
  if (own.kind !== "manifest") return { ...nothing, variants };
  const json = await configOf(store, own);
  const config = json["config"];
  return { variant, variants, manifest: own, json, config: isJsonObject(config) ? config : {} };
}

async function presentIn(
  store: ImageLibrary["store"],
  manifests: readonly Descriptor[],
): Promise<readonly Descriptor[]> {
  const here = await Promise.all(manifests.map(({ digest }) => store.has(digest)));
  return manifests.filter((_, index) => here[index] === true);
}

/** What a client can read something of: the native variant of this machine first; a component has no config. */
function preferred(variants: readonly Variant[]): Variant | undefined {
  const architecture = imageArchitecture(process.arch);
  return (
    variants.find((one) => one.kind === "native" && one.platform.architecture === architecture) ??
    variants.find((one) => one.kind === "wasm") ??
    variants[0]
  );
}

async function configOf(store: ImageLibrary["store"], { config }: ImageManifest): Promise<JsonObject> {
  if (!isImageConfigType(config.mediaType) && !config.mediaType.endsWith("+json")) return {};
  const value: unknown = JSON.parse(new TextDecoder().decode(await store.readBytes(config)));
  return isJsonObject(value) ? value : {};
}
