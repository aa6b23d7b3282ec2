import type { ContentStore } from "./content-store.ts";
import type { Digest } from "./digest.ts";
import type { ImageTags, TaggedImage } from "./image-tags.ts";
import { type Descriptor, manifestBytesMax, type ManifestDocument, parseManifest, referencesOf } from "./manifest.ts";
import { isIndexType, isManifestType } from "./media-types.ts";

/** An image of the store with all its names. */
export interface StoredImage {
  readonly target: Descriptor;
  /** None: it is dangling, nothing leads to it. */
  readonly tags: readonly TaggedImage[];
  /** Everything that it is made of and that is in the store, itself too, with sizes. */
  readonly blobs: ReadonlyMap<Digest, number>;
  /** When its manifest was written, milliseconds since the epoch. */
  readonly writtenMs: number;
}

interface StoredDocument {
  readonly document: ManifestDocument;
  readonly descriptor: Descriptor;
  readonly writtenMs: number;
}

/**
 * All images of a store: those with names, and the manifests that neither a name nor another manifest leads to.
 *
 * @throws ImageFault STORE_FAILED
 */
export async function storedImages(store: ContentStore, tags: ImageTags): Promise<readonly StoredImage[]> {
  const [documents, sizes] = await readDocuments(store);
  const names = Map.groupBy(await tags.list(), ({ target }) => target.digest);
  const children = new Set(
    [...documents.values()].flatMap(({ document }) =>
      document.kind === "index" ? document.manifests.map(({ digest }) => digest) : [],
    ),
  );
  const roots = [...documents.values()].filter(
    ({ descriptor }) => names.has(descriptor.digest) || !children.has(descriptor.digest),
  );
  return roots.map(({ descriptor, writtenMs }) => ({
    target: descriptor,
    tags: names.get(descriptor.digest) ?? [],
    blobs: reached(documents, sizes, descriptor.digest),
    writtenMs,
  }));
}

/** What would come free, were these images removed: their blobs that no other image has. */
export function freedBy(images: readonly StoredImage[], removed: ReadonlySet<Digest>): number {
  const kept = new Set(
    images.filter(({ target }) => !removed.has(target.digest)).flatMap(({ blobs }) => [...blobs.keys()]),
  );
  const gone = new Map(images.filter(({ target }) => removed.has(target.digest)).flatMap(({ blobs }) => [...blobs]));
  return [...gone].reduce((sum, [digest, size]) => (kept.has(digest) ? sum : sum + size), 0);
}

async function readDocuments(
  store: ContentStore,
): Promise<readonly [ReadonlyMap<Digest, StoredDocument>, ReadonlyMap<Digest, number>]> {
  const documents = new Map<Digest, StoredDocument>();
  const sizes = new Map<Digest, number>();
  for await (const { digest, sizeBytes, writtenMs } of store.list()) {
    sizes.set(digest, sizeBytes);
    if (sizeBytes > manifestBytesMax || sizeBytes < 2) continue;
    for await (const [first] of await store.read({ digest }, { start: 0, end: 1 })) {
      // 0x7b is `{`: of a layer not more than a byte is read.
      if (first !== 0x7b) continue;
      const bytes = await store.readBytes({ digest });
      const document = documentIn(bytes);
      const size = bytes.length;
      if (document !== undefined)
        documents.set(digest, { document, descriptor: { mediaType: document.mediaType, digest, size }, writtenMs });
    }
  }
  return [documents, sizes];
}

/** Configs are JSON objects too: only what says that it is a manifest, or has what one must have, is one. */
function documentIn(bytes: Uint8Array): ManifestDocument | undefined {
  try {
    return parseManifest(bytes, undefined);
  } catch {
    return undefined;
  }
}

function reached(
  documents: ReadonlyMap<Digest, StoredDocument>,
  sizes: ReadonlyMap<Digest, number>,
  root: Digest,
): ReadonlyMap<Digest, number> {
  const found = new Map<Digest, number>();
  const open: Pick<Descriptor, "digest" | "mediaType">[] = [{ digest: root, mediaType: "" }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const size = sizes.get(next.digest);
    if (size === undefined || found.has(next.digest)) continue;
    found.set(next.digest, size);
    const isDocument = next.digest === root || isIndexType(next.mediaType) || isManifestType(next.mediaType);
    const document = isDocument ? documents.get(next.digest)?.document : undefined;
    if (document !== undefined) open.push(...referencesOf(document));
  }
  return found;
}

/** Removes images, and of their blobs those that no image that stays has. @throws ImageFault STORE_FAILED */
export async function removeImages(
  store: ContentStore,
  images: readonly StoredImage[],
  removed: ReadonlySet<Digest>,
): Promise<readonly Digest[]> {
  const kept = new Set(
    images.filter(({ target }) => !removed.has(target.digest)).flatMap(({ blobs }) => [...blobs.keys()]),
  );
  const gone: Digest[] = [];
  for (const image of images.filter(({ target }) => removed.has(target.digest))) {
    // The manifest is first: an image that is half there would be found.
    for (const digest of image.blobs.keys()) {
      if (!kept.has(digest) && (await store.remove(digest))) gone.push(digest);
    }
  }
  return gone;
}
