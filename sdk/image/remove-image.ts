import type { Digest } from "./digest.ts";
import { ImageFault } from "./fault.ts";
import { findImage, fullName, type ImageHome, imageNamed } from "./find-image.ts";
import { type ImageFilter, matchesAll } from "./image-filters.ts";
import { freedBy, removeImages, type StoredImage, storedImages } from "./store-usage.ts";

/** What was taken away, as `docker rmi` tells it. */
export interface RemovedImages {
  readonly untagged: readonly string[];
  readonly deleted: readonly Digest[];
}

/** What was being written when a build or a pull was killed; a running one is younger. */
const unfinishedMs = 10 * 60_000;

/**
 * Takes a name from an image, and removes the image with its last one, as `docker rmi` does. An image that is named by its
 * digest loses all its names, if it has one only, or with `force`.
 *
 * @param options.refuseUsed throws when the image may not go because something runs it
 * @throws ImageFault MANIFEST_UNKNOWN | DENIED
 */
export async function removeImageByName(
  home: ImageHome,
  text: string,
  options: {
    readonly force: boolean;
    readonly refuseUsed: (images: readonly StoredImage[], image: StoredImage) => Promise<void>;
  },
): Promise<RemovedImages> {
  const images = await storedImages(home.store, home.tags);
  const image = findImage(home, images, text);
  const isName = imageNamed(home, images, text) !== undefined;
  const tags = isName ? image.tags.filter(({ name }) => name === fullName(home, text)) : image.tags;
  if (!isName && tags.length > 1 && !options.force) {
    const names = tags.map(({ name }) => name).join(", ");
    throw new ImageFault("DENIED", `${text} has several names (${names}); remove each, or all of them with --force`);
  }
  const isLast = tags.length === image.tags.length;
  if (isLast && !options.force) await options.refuseUsed(images, image);
  for (const tag of tags) await home.tags.remove(home.reference(tag.name));
  return {
    untagged: tags.map(({ name }) => name),
    deleted: isLast ? await removeImages(home.store, images, new Set([image.target.digest])) : [],
  };
}

/** Images that are to be pruned, and what their removal would free. */
export interface PrunableImages {
  readonly images: readonly StoredImage[];
  readonly chosen: readonly StoredImage[];
  readonly freedBytes: number;
}

/** Those without a name; with `isAll` those that nothing uses. The filters choose among them. */
export async function prunableImages(
  images: readonly StoredImage[],
  choice: {
    readonly isAll: boolean;
    readonly used: ReadonlyMap<StoredImage, unknown>;
    readonly filters: readonly ImageFilter[];
  },
): Promise<PrunableImages> {
  const chosen: StoredImage[] = [];
  for (const image of images) {
    const isOffered = choice.isAll ? !choice.used.has(image) : image.tags.length === 0;
    if (isOffered && (await matchesAll(image, choice.filters))) chosen.push(image);
  }
  return { images, chosen, freedBytes: freedBy(images, digestsOf(chosen)) };
}

/** Removes them, and what was left half done. */
export async function pruneImages(
  home: ImageHome,
  { images, chosen, freedBytes }: PrunableImages,
  nowMs: number,
): Promise<RemovedImages & { readonly reclaimedBytes: number }> {
  const digests = digestsOf(chosen);
  const untagged = chosen.flatMap(({ tags }) => tags.map(({ name }) => name));
  for (const name of untagged) await home.tags.remove(home.reference(name));
  const deleted = await removeImages(home.store, images, digests);
  const kept = images.filter(({ target }) => !digests.has(target.digest)).map(({ target }) => target.digest);
  const rest = await home.store.collect({ roots: kept, keepSinceMs: nowMs - unfinishedMs });
  return { untagged, deleted, reclaimedBytes: freedBytes + rest.removedBytes };
}

const digestsOf = (images: readonly StoredImage[]): ReadonlySet<Digest> =>
  new Set(images.map(({ target }) => target.digest));
