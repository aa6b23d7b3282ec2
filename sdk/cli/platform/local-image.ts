import { formatReference, ImageFault, type ImageReference, type TaggedImage } from "../../image/index.ts";
import type { LocalImages } from "./image-store.ts";

/** @throws ImageFault MANIFEST_UNKNOWN when there is no such image on this machine */
export async function localImage(images: LocalImages, reference: ImageReference): Promise<TaggedImage> {
  const image = await images.tags.get(reference);
  if (image !== undefined) return image;
  const name = formatReference(reference);
  throw new ImageFault(
    "MANIFEST_UNKNOWN",
    `there is no image ${name} on this machine; shallop images shows what there is, shallop build makes one`,
  );
}
