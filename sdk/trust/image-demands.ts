import {
  type ImageConfig,
  ImageFault,
  type ManifestBlob,
  type NativeVariant,
  parseImageConfig,
  parseManifest,
  type ReadBlob,
  readVariants,
  type Variant,
} from "@shallop/sdk/image";

/** What an image asks for by what it is, as its manifests and configs say. */
export interface ImageDemands {
  /** What could run of it: `wasm`, `native`, or both. */
  readonly kinds: readonly Variant["kind"][];
  /** What its components import, as they write it. */
  readonly imports: readonly string[];
  /** Digests of Wasm variants of which the image does not say what they import. */
  readonly unlisted: readonly string[];
  /** The users that its native variants run as; empty is root. */
  readonly users: readonly string[];
}

/** Platforms of one image whose configs are read: more than any image has that somebody made. */
const nativeVariantsMax = 32;

/** What preview-1 modules import, all of them: it is one interface. */
const previewOne = "wasi_snapshot_preview1";

/**
 * Reads what an image asks for. It need not be true: where a policy relies on it, a node compares what a component imports
 * with what its image lists. The user it takes from the same config.
 * @throws ImageFault MANIFEST_INVALID | TOO_LARGE, and what `read` throws
 */
export async function readDemands(
  root: Pick<ManifestBlob, "descriptor" | "document">,
  read: ReadBlob,
): Promise<ImageDemands> {
  const { variants } = await readVariants(root, read);
  const natives = variants.filter((variant) => variant.kind === "native");
  if (natives.length > nativeVariantsMax) {
    throw new ImageFault("TOO_LARGE", `the image has more than ${String(nativeVariantsMax)} native variants`);
  }
  const configs = await Promise.all(natives.map((variant) => configOf(variant, read)));
  const imports = new Set<string>();
  const unlisted: string[] = [];
  for (const variant of variants) {
    if (variant.kind !== "wasm") continue;
    if (variant.platform.os === "wasip1") imports.add(previewOne);
    else if (variant.component === undefined) unlisted.push(variant.digest);
    else for (const name of variant.component.imports) imports.add(name);
  }
  return {
    kinds: [...new Set(variants.map(({ kind }) => kind))],
    imports: [...imports],
    unlisted,
    users: [...new Set(configs.map(({ user }) => user))],
  };
}

async function configOf({ manifest, digest }: NativeVariant, read: ReadBlob): Promise<ImageConfig> {
  const what = `the manifest ${digest}`;
  const document = parseManifest(await read(manifest), manifest.mediaType, what);
  if (document.kind === "index") {
    throw new ImageFault("MANIFEST_INVALID", `${what} is an index, where an image was expected`);
  }
  return parseImageConfig(await read(document.config), `the config of ${digest}`);
}
