import { ImageFault } from "./fault.ts";
import type { ContentStore } from "./content-store.ts";
import type { ImageTags } from "./image-tags.ts";
import type { ImageReference } from "./reference.ts";
import type { StoredImage } from "./store-usage.ts";

/** Images of one store under the names that people give them. */
export interface ImageHome {
  readonly store: ContentStore;
  readonly tags: ImageTags;
  /** A reference as it was typed; one without a host belongs to the built-in registry. @throws ImageFault REFERENCE_INVALID */
  reference(text: string): ImageReference;
}

/** Docker's short ids have 12 digits, people type fewer; the store tells when they are too few. */
const idPattern = /^(?:sha256:)?([0-9a-f]{4,64})$/;

/**
 * The image that a person means: by its name, or by the first digits of its digest.
 *
 * @throws ImageFault MANIFEST_UNKNOWN; REFERENCE_INVALID when several begin so
 */
export function findImage(home: ImageHome, images: readonly StoredImage[], text: string): StoredImage {
  const named = imageNamed(home, images, text);
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

export function imageNamed(home: ImageHome, images: readonly StoredImage[], text: string): StoredImage | undefined {
  const name = fullName(home, text);
  return images.find(({ tags }) => tags.some((tag) => tag.name === name));
}

/** As the name of a tag stands in the store; undefined for what is no reference. */
export function fullName(home: ImageHome, text: string): string | undefined {
  try {
    const { registry, repository, tag, digest } = home.reference(text);
    if (tag === undefined && digest !== undefined) return `${registry}/${repository}@${digest}`;
    return `${registry}/${repository}:${tag ?? "latest"}`;
  } catch {
    return undefined;
  }
}
