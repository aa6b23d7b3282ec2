import type { Pack } from "tar-stream";
import { type ContentStore, once } from "./content-store.ts";
import { type Digest, digestAlgorithm, digestHex } from "./digest.ts";
import { type Descriptor, type ImageManifest, parseImageConfig, parseManifest, referencesOf } from "./manifest.ts";
import { isForeignLayerType, isImageConfigType, isIndexType, isManifestType, mediaType } from "./media-types.ts";
import type { ImageReference } from "./reference.ts";

/** An image and the names that it is to have where the archive is read. */
export interface ArchivedImage {
  readonly target: Descriptor;
  readonly names: readonly ImageReference[];
}

/** As everywhere in images: the same images give the same archive. */
const time = new Date(0);

/**
 * Images as one archive, as `docker save` writes it since version 25: an OCI layout (image specification, "Image Layout")
 * with Docker's `manifest.json` beside it, for readers that know only that. It names what runs on this architecture.
 *
 * @throws ImageFault BLOB_UNKNOWN when the store lacks a part
 */
export async function* writeArchive(
  store: ContentStore,
  images: readonly ArchivedImage[],
  architecture: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { pack } = await import("tar-stream");
  const archive = pack();
  const filled = fill(archive, store, images, architecture)
    .then(() => archive.finalize())
    .catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  yield* archive as unknown as AsyncIterable<Uint8Array>;
  await filled;
}

async function fill(
  archive: Pack,
  store: ContentStore,
  images: readonly ArchivedImage[],
  architecture: string,
): Promise<void> {
  const written = new Set<Digest>();
  const legacy: LegacyImage[] = [];
  for (const image of images) {
    for (const blob of await blobsBelow(store, image.target)) {
      if (written.has(blob.digest)) continue;
      written.add(blob.digest);
      await addFile(archive, { name: blobPath(blob.digest), size: blob.size }, await store.read(blob));
    }
    const native = await nativeManifest(store, image.target, architecture);
    if (native !== undefined) legacy.push(legacyImage(image, native));
  }
  await addJson(archive, "index.json", {
    schemaVersion: 2,
    mediaType: mediaType.index,
    manifests: images.flatMap(({ target, names }) => indexEntries(target, names)),
  });
  if (legacy.length > 0) await addJson(archive, "manifest.json", legacy);
  await addJson(archive, "oci-layout", { imageLayoutVersion: "1.0.0" });
}

interface LegacyImage {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

const blobPath = (digest: Digest): string => `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;

const nameOf = ({ registry, repository, tag }: ImageReference): string =>
  `${registry}/${repository}:${tag ?? "latest"}`;

const legacyImage = ({ names }: ArchivedImage, { config, layers }: ImageManifest): LegacyImage => ({
  Config: blobPath(config.digest),
  RepoTags: names.map(nameOf),
  Layers: layers.map((layer) => blobPath(layer.digest)),
});

/** containerd's annotation has the whole name, that of the specification the tag. */
function indexEntries(target: Descriptor, names: readonly ImageReference[]): readonly object[] {
  const { mediaType: type, digest, size } = target;
  if (names.length === 0) return [{ mediaType: type, digest, size }];
  return names.map((name) => ({
    mediaType: type,
    digest,
    size,
    annotations: {
      "io.containerd.image.name": nameOf(name),
      "org.opencontainers.image.ref.name": name.tag ?? "latest",
    },
  }));
}

/** Everything that an image is made of, itself last. Of an index that was pulled in part, what is there. */
async function blobsBelow(store: ContentStore, target: Descriptor): Promise<readonly Descriptor[]> {
  const document = parseManifest(await store.readBytes(target), target.mediaType, `the manifest ${target.digest}`);
  const blobs: Descriptor[] = [];
  for (const child of referencesOf(document)) {
    const isDocument = isIndexType(child.mediaType) || isManifestType(child.mediaType);
    if (document.kind === "index" && isDocument) {
      if (await store.has(child.digest)) blobs.push(...(await blobsBelow(store, child)));
    } else if (!isForeignLayerType(child.mediaType) || (await store.has(child.digest))) {
      blobs.push(child);
    }
  }
  return [...blobs, target];
}

/** The manifest of a root file system for this architecture; undefined when the image has none. */
async function nativeManifest(
  store: ContentStore,
  target: Descriptor,
  architecture: string,
): Promise<ImageManifest | undefined> {
  if (!(await store.has(target.digest))) return undefined;
  const document = parseManifest(await store.readBytes(target), target.mediaType, `the manifest ${target.digest}`);
  if (document.kind === "index") {
    for (const child of document.manifests) {
      if (child.platform?.os !== "linux" && !isIndexType(child.mediaType)) continue;
      const found = await nativeManifest(store, child, architecture);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (!isImageConfigType(document.config.mediaType)) return undefined;
  const { platform } = parseImageConfig(await store.readBytes(document.config));
  return platform.os === "linux" && platform.architecture === architecture ? document : undefined;
}

const addJson = async (archive: Pack, name: string, json: unknown): Promise<void> => {
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  await addFile(archive, { name, size: bytes.length }, once(bytes));
};

async function addFile(
  archive: Pack,
  file: { readonly name: string; readonly size: number },
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const header = { ...file, mode: 0o644, mtime: time, uid: 0, gid: 0 } as const;
  const sink = archive.entry(header, (error) => {
    if (error === null || error === undefined) ended.resolve();
    else ended.reject(error);
  });
  for await (const chunk of bytes) {
    if (!sink.write(chunk)) await new Promise((resolve) => sink.once("drain", () => resolve(undefined)));
  }
  sink.end(undefined);
  await ended.promise;
}
