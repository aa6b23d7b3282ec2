import { ImageFault, type StoredImage } from "../../image/index.ts";
import type { LocalImages } from "../platform/image-store.ts";

/** As many digits as nobody types by chance. */
const idPattern = /^(?:sha256:)?([0-9a-f]{6,64})$/;

/**
 * The image that a person means: by its name, or by the first digits of its digest.
 *
 * @throws ImageFault MANIFEST_UNKNOWN; REFERENCE_INVALID when several begin so
 */
export function findImage(local: LocalImages, images: readonly StoredImage[], text: string): StoredImage {
  const named = imageNamed(local, images, text);
  if (named !== undefined) return named;
  const [, digits] = idPattern.exec(text) ?? [];
  const found = digits === undefined ? [] : images.filter(({ target }) => target.digest.startsWith(`sha256:${digits}`));
  const [image] = found;
  if (image !== undefined && found.length === 1) return image;
  if (found.length > 1) throw new ImageFault("REFERENCE_INVALID", `${text} is the begin of ${found.length} digests`);
  throw new ImageFault(
    "MANIFEST_UNKNOWN",
    `there is no image ${text} on this machine; shallop images shows what there is`,
  );
}

export function imageNamed(local: LocalImages, images: readonly StoredImage[], text: string): StoredImage | undefined {
  const name = fullName(local, text);
  return images.find(({ tags }) => tags.some((tag) => tag.name === name));
}

/** As the name of a tag stands in the store; undefined for what is no reference. */
export function fullName(local: LocalImages, text: string): string | undefined {
  try {
    const { registry, repository, tag, digest } = local.reference(text);
    if (tag === undefined && digest !== undefined) return `${registry}/${repository}@${digest}`;
    return `${registry}/${repository}:${tag ?? "latest"}`;
  } catch {
    return undefined;
  }
}
