import {
  type Descriptor,
  type Digest,
  formatReference,
  type ImageReference,
  type OnProgress,
  type Platform,
  pullImage,
  pushImage,
  type RegistryClient,
} from "@shallop/sdk/image";
import { imageArchitecture } from "../../image/choose.ts";
import type { JsonStream } from "../http/json-stream.ts";
import type { ImageLibrary } from "./image-library.ts";

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
function isWanted({ platform }: Descriptor, asked: string | undefined): boolean {
  if (platform === undefined) return true;
  const names = [nameOf(platform), `${nameOf(platform)}/${platform.variant ?? ""}`];
  if (asked !== undefined) return names.includes(asked);
  return platform.architecture === "wasm" || nameOf(platform) === `linux/${imageArchitecture(process.arch)}`;
}

const nameOf = ({ os, architecture }: Platform): string => `${os}/${architecture}`;

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
  telling: { readonly stream: JsonStream; readonly platform?: string; readonly signal: AbortSignal },
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
  await library.tags.set(reference, target, library.clock.wallMs());
  const isSame = before?.target.digest === target.digest;
  stream.write({ status: `Digest: ${target.digest}` });
  stream.write({ status: `Status: ${isSame ? "Image is up to date" : "Downloaded newer image"} for ${name}` });
  return target;
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
