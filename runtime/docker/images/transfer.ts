import {
  type ContentStore,
  type Descriptor,
  type Digest,
  formatReference,
  type ImageReference,
  isForPlatform,
  isImageConfigType,
  type OnProgress,
  parseImageConfig,
  parseManifest,
  type Platform,
  pullImage,
  pushImage,
  type RegistryClient,
} from "@shallop/sdk/image";
import type { JsonStream } from "../http/json-stream.ts";
import type { ImageLibrary } from "./image-library.ts";
import { isAsked, isWasmPlatform, noSuchPlatform, ownPlatform } from "./platforms.ts";

/** How often a blob's bar moves. */
const sayMs = 100;

/** Tells how far blobs are, in the words that clients draw bars from. */
function barsOn(library: ImageLibrary, stream: JsonStream, word: "Downloading" | "Pushing"): OnProgress {
  const saidMs = new Map<string, number>();
  return ({ digest, bytes, total }) => {
    const id = shortId(digest);
    const isDone = bytes >= total;
    const nowMs = library.clock.nowMs();
    if (!isDone && nowMs - (saidMs.get(id) ?? -Infinity) < sayMs) return;
    saidMs.set(id, nowMs);
    if (isDone) stream.write({ status: word === "Pushing" ? "Pushed" : "Pull complete", progressDetail: {}, id });
    else stream.write({ status: word, progressDetail: { current: bytes, total }, id });
  };
}

export const shortId = (digest: string): string => digest.slice(digest.indexOf(":") + 1).slice(0, 12);

/** Which entries of an index are fetched: of this machine and every component; or of one platform that was asked for. */
function isWanted({ platform }: Descriptor, asked: Platform | undefined): boolean {
  if (platform === undefined) return true;
  if (asked !== undefined) return isAsked(platform, asked);
  return isWasmPlatform(platform) || isForPlatform(platform, ownPlatform);
}

export interface Source {
  readonly client: RegistryClient;
  /** Where it is read: a name without a host may be Docker Hub's. */
  readonly from: ImageReference;
}

/** Fetches an image and names it. @throws ImageFault */
export async function pull(
  library: ImageLibrary,
  { client, from }: Source,
  reference: ImageReference,
  telling: { readonly stream: JsonStream; readonly platform?: Platform; readonly signal: AbortSignal },
): Promise<Descriptor> {
  const { stream, platform, signal } = telling;
  const name = library.familiar(formatReference(reference));
  stream.write({ status: `Pulling from ${from.repository}`, id: reference.tag ?? reference.digest });
  const before = await library.tags.get(reference);
  const target = await pullImage(client, library.store, from, {
    signal,
    onProgress: barsOn(library, stream, "Downloading"),
    select: (entry) => isWanted(entry, platform),
  });
  if (platform !== undefined) await checkPlatform(library.store, { name, target }, platform);
  await library.tags.set(reference, target, library.clock.wallMs());
  const isSame = before?.target.digest === target.digest;
  stream.write({ status: `Digest: ${target.digest}` });
  stream.write({ status: `Status: ${isSame ? "Image is up to date" : "Downloaded newer image"} for ${name}` });
  return target;
}

/** Of an image for other platforms only nothing that could be run has come. @throws DockerFault NOT_FOUND */
async function checkPlatform(
  store: ContentStore,
  { name, target }: { readonly name: string; readonly target: Descriptor },
  asked: Platform,
): Promise<void> {
  const document = parseManifest(await store.readBytes(target), target.mediaType, `the manifest of ${name}`);
  const there =
    document.kind === "index"
      ? document.manifests.flatMap(({ platform }) => platform ?? [])
      : isImageConfigType(document.config.mediaType)
        ? [parseImageConfig(await store.readBytes(document.config), `the config of ${name}`).platform]
        : [{ os: "wasi", architecture: "wasm" }];
  if (there.length === 0 || there.some((platform) => isAsked(platform, asked))) return;
  throw noSuchPlatform(name, there, asked);
}

/** Sends what is here of an image; of an index that was fetched in part, that part. @throws ImageFault */
export async function push(
  library: ImageLibrary,
  client: RegistryClient,
  image: { readonly reference: ImageReference; readonly target: Descriptor },
  telling: { readonly stream?: JsonStream; readonly signal: AbortSignal },
): Promise<Digest> {
  const { stream, signal } = telling;
  const onProgress = stream === undefined ? undefined : barsOn(library, stream, "Pushing");
  const options = { signal, onProgress, partial: true };
  return (await pushImage(client, library.store, { ...image, extraWasmTag: false }, options)).digest;
}
