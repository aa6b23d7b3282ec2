import { posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type BlobInfo, collectBytes, type ContentStore } from "./content-store.ts";
import { decompressed } from "./decompress.ts";
import { type Digest, digestAlgorithm, digestHex } from "./digest.ts";
import { ImageFault } from "./fault.ts";
import { isObject, JsonFields, parseJson } from "./json-fields.ts";
import { storeArchiveFile } from "./layer-archive.ts";
import { type Descriptor, manifestBytesMax, parseImageConfig, parseManifest, referencesOf } from "./manifest.ts";
import { isIndexType, isManifestType, mediaType } from "./media-types.ts";

/** An image that came out of an archive. */
export interface LoadedImage {
  readonly target: Descriptor;
  /** As they stand in the archive: not checked to be references. */
  readonly names: readonly string[];
}

/** Images have some hundred blobs; who saves a whole machine has some thousand images. */
const filesMax = 100_000;
const imagesMax = 10_000;
/** As layers: those of the largest images have some 10 GiB. */
const archiveBytesMax = 64 * 1024 ** 3;
const nestingMax = 32;

/** The files of an archive: blobs in the store, under the digests that they really have, and the lists of what there is. */
interface Files {
  readonly blobs: ReadonlyMap<string, BlobInfo>;
  readonly lists: ReadonlyMap<string, Uint8Array>;
}

const listNames: readonly string[] = ["index.json", "manifest.json"];
/** What nobody needs: it must not lie in the store as if it were part of an image. */
const ignoredNames = /^(oci-layout|repositories|[^/]+\/(VERSION|json))$/;

/**
 * Reads an archive of images into the store: an OCI layout, as `docker save` since 25, podman, buildah and skopeo write
 * it, or Docker's older form; plain or compressed. Everything is named by the digest of what it holds: what the archive
 * calls it is a claim that is checked.
 *
 * @throws ImageFault MANIFEST_INVALID | LAYER_INVALID | DIGEST_MISMATCH | BLOB_UNKNOWN | TOO_LARGE | STORE_FAILED
 */
export async function readArchive(
  store: ContentStore,
  source: AsyncIterable<Uint8Array>,
): Promise<readonly LoadedImage[]> {
  const files = await storeFiles(store, source);
  const images = files.lists.has("index.json") ? await layoutImages(store, files) : await dockerImages(store, files);
  if (images.length > 0) return images;
  throw new ImageFault("MANIFEST_INVALID", "the archive holds no image: it has neither index.json nor manifest.json");
}

async function storeFiles(store: ContentStore, source: AsyncIterable<Uint8Array>): Promise<Files> {
  const { extract } = await import("tar-stream");
  const entries = extract();
  const fed = pipeline(Readable.from(bounded(decompressed(source))), entries);
  fed.catch(() => undefined);
  const blobs = new Map<string, BlobInfo>();
  const lists = new Map<string, Uint8Array>();
  const links: { readonly name: string; readonly target: string }[] = [];
  try {
    let count = 0;
    for await (const entry of entries) {
      if (++count > filesMax) throw new ImageFault("TOO_LARGE", `the archive has more than ${filesMax} files`);
      const { header } = entry;
      const name = normal(header.name);
      const bytes = entry as AsyncIterable<Uint8Array>;
      if (header.type === "file" && listNames.includes(name)) {
        lists.set(name, await collectBytes(bytes, manifestBytesMax, name));
      } else if (header.type === "file" && !ignoredNames.test(name)) {
        blobs.set(name, await store.ingestUnnamed(bytes));
      } else if (header.type === "symlink" && typeof header.linkname === "string") {
        links.push({ name, target: normal(posix.join(posix.dirname(name), header.linkname)) });
      }
      entry.resume();
    }
    await fed;
  } catch (error) {
    if (error instanceof ImageFault) throw error;
    throw new ImageFault("LAYER_INVALID", "the archive is no whole tar archive of images", { cause: error });
  }
  // Docker's older form has a layer once, and links to it.
  for (const { name, target } of links) {
    const file = blobs.get(target);
    if (file !== undefined) blobs.set(name, file);
  }
  return { blobs, lists };
}

const normal = (name: string): string => posix.normalize(`/${name}`).slice(1);

async function* bounded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > archiveBytesMax) throw new ImageFault("TOO_LARGE", `the archive has more than ${archiveBytesMax} bytes`);
    yield chunk;
  }
}

/** Image specification, "Image Layout": what `index.json` names. Docker's tags, which say more, stand in `manifest.json`. */
async function layoutImages(store: ContentStore, files: Files): Promise<readonly LoadedImage[]> {
  const index = parseManifest(listIn(files, "index.json"), mediaType.index, "index.json");
  if (index.kind !== "index") throw new ImageFault("MANIFEST_INVALID", "index.json is no index");
  const namesByDigest = new Map<Digest, { readonly target: Descriptor; readonly names: string[] }>();
  for (const entry of index.manifests) {
    const { mediaType: type, digest, size } = entry;
    const image = namesByDigest.get(digest) ?? { target: { mediaType: type, digest, size }, names: [] };
    namesByDigest.set(digest, image);
    const { annotations = {} } = entry;
    const name = annotations["io.containerd.image.name"] ?? annotations["org.opencontainers.image.ref.name"];
    if (name !== undefined) image.names.push(name);
  }
  const docker = files.lists.has("manifest.json") ? dockerEntries(files) : [];
  for (const { target, names } of namesByDigest.values()) {
    const configs = await checkWhole(store, files, target);
    // A tag alone is no name. Docker's list has the whole one.
    const whole = docker.filter((entry) => configs.has(entry.config)).flatMap((entry) => entry.names);
    if (names.every((name) => !name.includes("/") && !name.includes(":"))) names.splice(0, Infinity, ...whole);
  }
  return [...namesByDigest.values()].map(({ target, names }) => ({ target, names: [...new Set(names)] }));
}

/** The configs below an image whose parts are all in the archive. @throws ImageFault BLOB_UNKNOWN | SIZE_MISMATCH */
async function checkWhole(store: ContentStore, files: Files, target: Descriptor): Promise<ReadonlySet<Digest>> {
  const document = parseManifest(await store.readBytes(target), target.mediaType, `the manifest ${target.digest}`);
  const configs = new Set<Digest>();
  for (const child of referencesOf(document)) {
    const isDocument = isIndexType(child.mediaType) || isManifestType(child.mediaType);
    const isThere = files.blobs.has(`blobs/${digestAlgorithm(child.digest)}/${digestHex(child.digest)}`);
    if (document.kind === "index" && isDocument) {
      // Of an image for several platforms an archive may hold one.
      if (isThere) for (const config of await checkWhole(store, files, child)) configs.add(config);
    } else if (isThere) await store.read(child);
    else throw new ImageFault("BLOB_UNKNOWN", `the archive lacks ${child.digest} of the image ${target.digest}`);
  }
  if (document.kind === "manifest") configs.add(document.config.digest);
  return configs;
}

interface DockerEntry {
  readonly config: Digest;
  readonly names: readonly string[];
  readonly layers: readonly BlobInfo[];
}

function dockerEntries(files: Files): readonly DockerEntry[] {
  const json = parseJson(listIn(files, "manifest.json"), "manifest.json", nestingMax);
  const fields = new JsonFields();
  const wanted = fields.list(json, "manifest.json", imagesMax).map((value, index) => {
    const entry = isObject(value) ? value : {};
    const at = `[${index}]`;
    return {
      config: fields.string(entry["Config"], `${at}.Config`),
      names: fields.strings(entry["RepoTags"], `${at}.RepoTags`, imagesMax),
      layers: fields.strings(entry["Layers"], `${at}.Layers`, 1_000),
    };
  });
  fields.finish("manifest.json");
  return wanted.map(({ config, names, layers }) => ({
    config: fileAt(files, config).digest,
    names,
    layers: layers.map((layer) => fileAt(files, layer)),
  }));
}

/** Docker's older form: layers are archives, mostly not compressed, and there are no manifests. */
async function dockerImages(store: ContentStore, files: Files): Promise<readonly LoadedImage[]> {
  if (!files.lists.has("manifest.json")) return [];
  const images: LoadedImage[] = [];
  for (const entry of dockerEntries(files)) {
    const bytes = await store.readBytes({ digest: entry.config });
    const { diffIds } = parseImageConfig(bytes);
    const layers: Descriptor[] = [];
    for (const [index, file] of entry.layers.entries()) layers.push(await dockerLayer(store, file, diffIds[index]));
    const config = { mediaType: mediaType.config, digest: entry.config, size: bytes.length };
    const manifest = { schemaVersion: 2, mediaType: mediaType.manifest, config, layers };
    const target = await store.put(new TextEncoder().encode(JSON.stringify(manifest)), mediaType.manifest);
    images.push({ target, names: entry.names });
  }
  return images;
}

async function dockerLayer(store: ContentStore, file: BlobInfo, wanted: Digest | undefined): Promise<Descriptor> {
  if (file.digest === wanted) return { mediaType: mediaType.layerTar, digest: file.digest, size: file.sizeBytes };
  const { descriptor, diffId } = await storeArchiveFile(store, store.path(file.digest));
  if (diffId === wanted) return descriptor;
  const text = `a layer of the archive is ${diffId}, the image's config says ${wanted ?? "nothing"}`;
  throw new ImageFault("DIGEST_MISMATCH", text);
}

function fileAt(files: Files, name: string): BlobInfo {
  const file = files.blobs.get(normal(name));
  if (file !== undefined) return file;
  throw new ImageFault("BLOB_UNKNOWN", `the archive has no file ${JSON.stringify(name.slice(0, 200))}, which it names`);
}

const listIn = (files: Files, name: string): Uint8Array => files.lists.get(name) ?? new Uint8Array();
