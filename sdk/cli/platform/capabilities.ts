import { readVariants } from "../../image/index.ts";
import { newCapabilities } from "../../trust/index.ts";
import type { LocalImages } from "./image-store.ts";

/** What the component of an image imports, as its registry has it; undefined when it is not there, or says nothing. */
async function importsOf(images: LocalImages, image: string): Promise<readonly string[] | undefined> {
  try {
    const reference = images.reference(image);
    const root = await images.registry.manifest(reference);
    const { variants } = await readVariants(root, (blob) => images.registry.bytes(reference, blob));
    const all = variants.flatMap((variant) => (variant.kind === "wasm" ? [variant.component?.imports ?? []] : []));
    return all.length === 0 ? undefined : all.flat();
  } catch {
    // Whether it can run is for the platform to say.
    return undefined;
  }
}

/** What the component of `image` asks for that the one of `running` does not. */
export async function capabilitiesAdded(
  images: LocalImages,
  change: { readonly running: string; readonly image: string },
): Promise<readonly string[]> {
  const [before, after] = await Promise.all([importsOf(images, change.running), importsOf(images, change.image)]);
  return after === undefined ? [] : newCapabilities(before ?? [], after);
}
