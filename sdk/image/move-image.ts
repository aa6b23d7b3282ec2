import { type ContentStore, once } from "./content-store.ts";
import type { Digest } from "./digest.ts";
import { ImageFault } from "./fault.ts";
import {
  type Descriptor,
  type ManifestBlob,
  manifestBlob,
  type ManifestDocument,
  parseManifest,
  referencesOf,
} from "./manifest.ts";
import { isForeignLayerType, isIndexType, isManifestType, mediaType } from "./media-types.ts";
import { type ImageReference, retagged, wasmTag } from "./reference.ts";
import { type RegistryClient, type Repository, type TransferOptions, transfersMax } from "./registry-client.ts";

export interface MoveOptions extends TransferOptions {
  /** Which entries of an index to take; all unless given. An index of which not all is there can still be used. */
  readonly select?: (entry: Descriptor) => boolean;
  /**
   * Of an index of which not all is in the store, send an index of what there is: registries refuse one that names what they
   * have not. Its digest is another one.
   */
  readonly partial?: boolean;
}

/** An index may name an index; more than this has no use, and could go on for ever. */
const depthMax = 3;

/** Where an image is read from. */
interface ImageOrigin {
  bytes(descriptor: Descriptor): Promise<Uint8Array>;
  open(descriptor: Descriptor, offset: number): AsyncIterable<Uint8Array>;
  readonly repository?: Repository;
}

/** A manifest or index, with everything below it that is to be moved: the children first, so that nothing dangles. */
interface Step {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly blobs: readonly Descriptor[];
}

/**
 * Fetches an image into the store.
 *
 * @returns its index or manifest
 * @throws ImageFault as RegistryClient.manifest and .blob, and STORE_FAILED
 */
export async function pullImage(
  client: RegistryClient,
  store: ContentStore,
  reference: ImageReference,
  options: MoveOptions = {},
): Promise<Descriptor> {
  const root = await client.manifest(reference, options.signal);
  const origin = registryOrigin(client, reference, options);
  const steps = await planMove(origin, root, options);
  await inParallel(blobsOf(steps), async (blob) => {
    await store.ingest(client.blob(reference, blob, options), blob, options.signal);
  });
  for (const step of steps) await store.ingest(once(step.bytes), step.descriptor);
  return root.descriptor;
}

/**
 * Sends an image from the store to a registry, under the reference's tag. An index with a Wasm artifact gets a second
 * tag, `<tag>-wasm`, straight at that artifact: for tools that cannot choose from an index.
 *
 * @throws ImageFault MANIFEST_UNKNOWN when the store lacks a part, and those of RegistryClient.pushBlob and .pushManifest
 */
export async function pushImage(
  client: RegistryClient,
  store: ContentStore,
  image: { readonly reference: ImageReference; readonly target: Descriptor; readonly extraWasmTag?: boolean },
  options: MoveOptions = {},
): Promise<PushedImage> {
  const origin: ImageOrigin = {
    bytes: (descriptor) => store.readBytes(descriptor),
    open: (descriptor, offset) => openStored(store, descriptor, offset),
  };
  const bytes = await origin.bytes(image.target);
  const document = parseManifest(bytes, image.target.mediaType, `the manifest ${image.target.digest}`);
  const whole = { descriptor: image.target, bytes, document };
  const root = options.partial === true ? await presentPart(store, whole) : whole;
  return send(client, { origin, root, ...image }, options);
}

/** An image without the manifests that the store has not; the one that is left when there is one. */
async function presentPart(store: ContentStore, root: ManifestBlob): Promise<ManifestBlob> {
  const { document } = root;
  if (document.kind !== "index") return root;
  const here = await Promise.all(document.manifests.map(({ digest }) => store.has(digest)));
  const manifests = document.manifests.filter((_, index) => here[index] === true);
  if (manifests.length === document.manifests.length) return root;
  const [only] = manifests;
  if (manifests.length === 1 && only !== undefined) {
    const bytes = await store.readBytes(only);
    return manifestBlob(bytes, parseManifest(bytes, only.mediaType, `the manifest ${only.digest}`), only.digest);
  }
  const { annotations } = document;
  const part = { schemaVersion: 2, mediaType: mediaType.index, manifests, annotations };
  const bytes = new TextEncoder().encode(JSON.stringify(part));
  return manifestBlob(bytes, parseManifest(bytes, mediaType.index));
}

export interface PushedImage {
  readonly digest: Digest;
  readonly reference: ImageReference;
  /** The extra tag at the Wasm artifact. */
  readonly wasmReference?: ImageReference;
  /** Bytes that were really sent; the rest was there, or was mounted. */
  readonly sentBytes: number;
}

/** Copies an image from one registry to another, without a store between. @throws ImageFault as pull and push */
export async function copyImage(
  client: RegistryClient,
  from: ImageReference,
  to: ImageReference,
  options: MoveOptions = {},
): Promise<PushedImage> {
  const root = await client.manifest(from, options.signal);
  return send(client, { origin: registryOrigin(client, from, options), root, reference: to }, options);
}

async function send(
  client: RegistryClient,
  image: {
    readonly origin: ImageOrigin;
    readonly root: { descriptor: Descriptor; bytes: Uint8Array; document: ManifestDocument };
    readonly reference: ImageReference;
    readonly extraWasmTag?: boolean;
  },
  options: MoveOptions,
): Promise<PushedImage> {
  const { origin, root, reference } = image;
  const { signal } = options;
  const mountFrom = origin.repository?.registry === reference.registry ? origin.repository.repository : undefined;
  let sentBytes = 0;
  const steps = await planMove(origin, root, options);
  await inParallel(blobsOf(steps), async (blob) => {
    const source = { descriptor: blob, open: (offset: number) => origin.open(blob, offset) };
    const how = await client.pushBlob(reference, source, {
      ...options,
      ...(mountFrom === undefined ? {} : { mountFrom }),
    });
    if (how === "uploaded") sentBytes += blob.size;
  });
  for (const step of steps) {
    const isRoot = step.descriptor.digest === root.descriptor.digest;
    const { registry, repository } = reference;
    const target = isRoot ? reference : { registry, repository, digest: step.descriptor.digest };
    await client.pushManifest(target, { bytes: step.bytes, mediaType: step.descriptor.mediaType }, signal);
  }
  const wasm = image.extraWasmTag === false ? undefined : wasmEntry(root.document);
  if (wasm === undefined || reference.tag === undefined)
    return { digest: root.descriptor.digest, reference, sentBytes };
  const wasmReference = retagged(reference, wasmTag(reference.tag));
  await client.pushManifest(wasmReference, { bytes: await origin.bytes(wasm), mediaType: wasm.mediaType }, signal);
  return { digest: root.descriptor.digest, reference, wasmReference, sentBytes };
}

/** The CNCF artifact of an index. The hint on its entry is not relied on: skopeo before 1.10 drops it when it copies. */
function wasmEntry(document: ManifestDocument): Descriptor | undefined {
  if (document.kind !== "index") return undefined;
  return document.manifests.find(
    ({ platform, artifactType }) =>
      artifactType === mediaType.wasmConfig || (platform?.architecture === "wasm" && /^wasip[12]$/.test(platform.os)),
  );
}

async function planMove(
  origin: ImageOrigin,
  root: { readonly descriptor: Descriptor; readonly bytes: Uint8Array; readonly document: ManifestDocument },
  options: MoveOptions,
): Promise<readonly Step[]> {
  const steps: Step[] = [];
  const visit = async (node: typeof root, depth: number): Promise<void> => {
    if (depth > depthMax) throw new ImageFault("TOO_LARGE", `the index is nested deeper than ${depthMax} levels`);
    const blobs: Descriptor[] = [];
    for (const child of referencesOf(node.document)) {
      const isDocument = isIndexType(child.mediaType) || isManifestType(child.mediaType);
      if (node.document.kind === "manifest" || !isDocument) {
        if (!isForeignLayerType(child.mediaType)) blobs.push(child);
      } else if (options.select?.(child) ?? true) {
        const bytes = await origin.bytes(child);
        const document = parseManifest(bytes, child.mediaType, `the manifest ${child.digest}`);
        await visit({ descriptor: child, bytes, document }, depth + 1);
      }
    }
    steps.push({ descriptor: node.descriptor, bytes: node.bytes, blobs });
  };
  await visit(root, 0);
  return steps;
}

/** Of all variants, each once: they share layers, and the empty layer and the empty config are often named twice. */
const blobsOf = (steps: readonly Step[]): readonly Descriptor[] => [
  ...new Map(steps.flatMap(({ blobs }) => blobs).map((blob) => [blob.digest, blob])).values(),
];

const registryOrigin = (client: RegistryClient, repository: Repository, options: MoveOptions): ImageOrigin => ({
  bytes: (descriptor) => client.bytes(repository, descriptor, options.signal),
  open: (descriptor, offset) => skipping(client.blob(repository, descriptor, { signal: options.signal }), offset),
  repository,
});

async function* skipping(
  source: AsyncIterable<Uint8Array>,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let skip = offset;
  for await (const chunk of source) {
    const rest = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}

async function* openStored(
  store: ContentStore,
  descriptor: Descriptor,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* await store.read(descriptor, { start: offset, end: descriptor.size });
}

/** Runs `act` on each item, a few at a time. The first failure is the answer; what runs then is waited for. */
async function inParallel<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await act(item);
      } catch (error) {
        queue.length = 0;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(transfersMax, items.length) }, worker));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
