import { type Descriptor, type Digest, formatPlatform, parseManifest, readVariants } from "../../image/index.ts";
import type { LocalImages } from "./image-store.ts";

export interface VariantSummary {
  readonly kind: "wasm" | "native";
  readonly platform: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly imports?: readonly string[];
  readonly exports?: readonly string[];
}

/** The variants of an image on this machine. @throws ImageFault */
export async function variantsOf(images: LocalImages, target: Descriptor): Promise<readonly VariantSummary[]> {
  const document = parseManifest(
    await images.store.readBytes(target),
    target.mediaType,
    `the manifest ${target.digest}`,
  );
  const { variants } = await readVariants({ descriptor: target, document }, (blob) => images.store.readBytes(blob), {
    sizes: true,
  });
  return variants.map((variant) => ({
    kind: variant.kind,
    platform: formatPlatform(variant.platform),
    digest: variant.digest,
    sizeBytes: variant.sizeBytes ?? 0,
    ...(variant.kind === "wasm" && variant.component !== undefined
      ? { imports: variant.component.imports, exports: variant.component.exports }
      : {}),
  }));
}
