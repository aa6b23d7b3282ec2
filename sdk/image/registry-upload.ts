import type { Clock } from "@shallop/sdk/internal";
import { ImageFault } from "./fault.ts";
import { parseUrl } from "./http-exchange.ts";
import type { Descriptor } from "./manifest.ts";
import { mediaType } from "./media-types.ts";
import type { RepositoryName } from "./reference.ts";
import type { RegistryAnswer, RegistryCall, RegistryCaller } from "./registry-call.ts";
import type { Repository, TransferOptions } from "./registry-client.ts";

/** What is being uploaded, readable from any offset. */
export interface UploadSource {
  readonly descriptor: Descriptor;
  open(offset: number): AsyncIterable<Uint8Array>;
}

interface Upload extends TransferOptions {
  readonly caller: RegistryCaller;
  readonly clock: Clock;
  readonly repository: Repository;
  readonly mountFrom?: RepositoryName;
}

/** Up to this size a blob goes in one request; what breaks is sent again. */
const monolithicBytesMax = 64 * 1024 * 1024;
/** Cloudflare and other proxies refuse bodies of 100 MB; S3 behind some registries wants at least 5 MiB. */
const chunkBytes = 32 * 1024 * 1024;
/** Sessions that are started for one blob. */
const uploadsMax = 4;
/** A chunk that was refused this often in a row will not be taken. */
const chunkRetriesMax = 5;

/** Uploads a blob that the registry does not have. Distribution specification, "Pushing blobs". */
export async function pushBlob(upload: Upload, source: UploadSource): Promise<"mounted" | "uploaded"> {
  for (let attempt = 1; ; attempt++) {
    const session = await startUpload(upload, source.descriptor);
    if (session === "mounted") return "mounted";
    try {
      await sendBlob(upload, source, session);
      return "uploaded";
    } catch (error) {
      const again = error instanceof ImageFault && error.code === "REGISTRY_UNREACHABLE" && attempt < uploadsMax;
      if (!again) throw error;
      // Nobody knows how much of the broken request arrived: a fresh session is the only clean start.
      await upload.clock.sleep(upload.caller.backoffMs(attempt), upload.signal);
    }
  }
}

async function sendBlob(upload: Upload, source: UploadSource, session: Session): Promise<void> {
  const small = source.descriptor.size <= monolithicBytesMax;
  const location = small ? session.location : await sendChunks(upload, source, session);
  location.searchParams.set("digest", source.descriptor.digest);
  const answer = await call(upload, {
    method: "PUT",
    target: location,
    what: `uploading ${source.descriptor.digest}`,
    headers: { "content-type": mediaType.octets },
    body: small ? countedBody(upload, source, { start: 0, end: source.descriptor.size }) : emptyBody,
    accept: [201],
    repeatable: false,
  });
  answer.body.resume();
}

interface Session {
  readonly location: URL;
  /** OCI-Chunk-Min-Length: chunks but the last may not be smaller. */
  readonly chunkBytesMin: number;
}

const emptyBody = {
  size: 0,
  async *open(): AsyncGenerator<Uint8Array, void, undefined> {
    // No bytes: everything was sent in chunks before.
  },
};

async function startUpload(upload: Upload, descriptor: Descriptor): Promise<Session | "mounted"> {
  const { mountFrom, repository } = upload;
  const query =
    mountFrom === undefined || mountFrom === repository.repository
      ? ""
      : `?mount=${encodeURIComponent(descriptor.digest)}&from=${encodeURIComponent(mountFrom)}`;
  const answer = await call(upload, {
    method: "POST",
    target: `${repository.repository}/blobs/uploads/${query}`,
    what: `starting the upload of ${descriptor.digest}`,
    body: emptyBody,
    accept: [201, 202],
  });
  answer.body.resume();
  if (answer.status === 201) return "mounted";
  return {
    location: locationOf(answer),
    chunkBytesMin: Number(answer.headers["oci-chunk-min-length"] ?? 0) || 0,
  };
}

/** Sends the blob piece by piece, and asks the registry how far it is when a piece broke. */
async function sendChunks(upload: Upload, source: UploadSource, session: Session): Promise<URL> {
  const total = source.descriptor.size;
  const stepBytes = Math.max(chunkBytes, session.chunkBytesMin);
  let location = session.location;
  let offset = 0;
  let failures = 0;
  while (offset < total) {
    const end = Math.min(offset + stepBytes, total);
    try {
      const answer = await call(upload, {
        method: "PATCH",
        target: location,
        what: `uploading ${source.descriptor.digest}`,
        headers: { "content-type": mediaType.octets, "content-range": `${offset}-${end - 1}` },
        body: countedBody(upload, source, { start: offset, end }),
        accept: [202, 416],
        repeatable: false,
      });
      answer.body.resume();
      location = locationOf(answer, location);
      const next = answer.status === 202 ? (receivedOf(answer) ?? end) : undefined;
      if (next !== undefined && next > offset) {
        offset = next;
        failures = 0;
        continue;
      }
    } catch (error) {
      if (!(error instanceof ImageFault) || error.code !== "REGISTRY_UNREACHABLE") throw error;
    }
    if (++failures > chunkRetriesMax) {
      const text = `uploading ${source.descriptor.digest} to ${upload.repository.registry} makes no progress after ${offset} bytes`;
      throw new ImageFault("REGISTRY_UNREACHABLE", text, { retryable: true });
    }
    await upload.clock.sleep(upload.caller.backoffMs(failures), upload.signal);
    ({ location, offset } = await askProgress(upload, location, source.descriptor));
  }
  return location;
}

async function askProgress(
  upload: Upload,
  location: URL,
  descriptor: Descriptor,
): Promise<{ readonly location: URL; readonly offset: number }> {
  const what = `asking how far the upload of ${descriptor.digest} is`;
  const answer = await call(upload, { method: "GET", target: location, what, accept: [204] });
  answer.body.resume();
  const offset = receivedOf(answer) ?? 0;
  if (offset > descriptor.size) {
    throw new ImageFault("REGISTRY_INVALID", `${what}: it claims ${offset} of ${descriptor.size} bytes`);
  }
  return { location: locationOf(answer, location), offset };
}

/** `Range: 0-99` means that 100 bytes were received; registries write `0-0` for none, and for one. */
function receivedOf(answer: RegistryAnswer): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers["range"] ?? "")?.[1];
  return last === undefined ? undefined : last === "0" ? 0 : Number(last) + 1;
}

function locationOf(answer: RegistryAnswer, fallback?: URL): URL {
  const location = answer.headers.location;
  if (location !== undefined) return parseUrl(location, answer.endpoint);
  if (fallback !== undefined) return fallback;
  throw new ImageFault("REGISTRY_INVALID", `${answer.endpoint.host} accepts an upload and does not say where`);
}

type UploadCall = Omit<RegistryCall, "registry" | "scope" | "signal">;

function call(upload: Upload, request: UploadCall): Promise<RegistryAnswer> {
  const { registry, repository } = upload.repository;
  const from = upload.mountFrom === undefined ? "" : ` repository:${upload.mountFrom}:pull`;
  return upload.caller.call({
    ...request,
    what: `${request.what} to ${registry}/${repository}`,
    registry,
    scope: `repository:${repository}:pull,push${from}`,
    missing: "MANIFEST_UNKNOWN",
    signal: upload.signal,
  });
}

function countedBody(
  upload: Upload,
  source: UploadSource,
  range: { readonly start: number; readonly end: number },
): { readonly size: number; open(): AsyncIterable<Uint8Array> } {
  const { digest, size: total } = source.descriptor;
  return {
    size: range.end - range.start,
    async *open() {
      let bytes = range.start;
      for await (const chunk of source.open(range.start)) {
        const part = chunk.subarray(0, Math.min(chunk.length, range.end - bytes));
        bytes += part.length;
        if (part.length > 0) yield part;
        upload.onProgress?.({ digest, bytes, total });
        if (bytes >= range.end) return;
      }
    },
  };
}
