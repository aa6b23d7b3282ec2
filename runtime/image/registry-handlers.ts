import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import {
  bareType,
  collectBytes,
  type ContentStore,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestOf,
  ImageFault,
  isDigest,
  isDigestAlgorithm,
  type ImageTag,
  isForeignLayerType,
  isImageTag,
  isRepositoryName,
  manifestBytesMax,
  type ManifestDocument,
  mediaType,
  parseManifest,
  referencesOf,
  type RepositoryName,
} from "@shallop/sdk/image";
import { unreachable } from "@shallop/sdk/internal";
import { RegistryFault } from "./registry-fault.ts";
import type { RegistryRepositories } from "./registry-repository.ts";
import { parseContentRange, parseRange, type RegistryRoute } from "./registry-route.ts";
import type { RegistryUploads } from "./registry-uploads.ts";

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
}

/** The specification wants room for ten. */
const tagParametersMax = 32;
/** Entries of a page when the client does not say, and at most. */
const pageDefault = 1_000;
const pageMax = 10_000;

/** What the endpoints do. Refusals are thrown; the server turns them into answers. */
export class RegistryHandlers {
  readonly #store: ContentStore;
  readonly #repositories: RegistryRepositories;
  readonly #uploads: RegistryUploads;

  constructor(parts: {
    readonly store: ContentStore;
    readonly repositories: RegistryRepositories;
    readonly uploads: RegistryUploads;
  }) {
    this.#store = parts.store;
    this.#repositories = parts.repositories;
    this.#uploads = parts.uploads;
  }

  /** @throws RegistryFault, and errors of the file system */
  async handle(route: RegistryRoute, call: Call): Promise<void> {
    const method = call.request.method ?? "GET";
    const isRead = method === "GET" || method === "HEAD";
    switch (route.kind) {
      case "ping":
        if (isRead) return sendJson(call, {});
        break;
      case "catalog":
        if (isRead) return this.#catalog(call);
        break;
      case "tags":
        if (isRead) return this.#tags(call, route.name);
        break;
      case "referrers":
        if (isRead) return this.#referrers(call, route.name, route.digest);
        break;
      case "blob":
        if (isRead) return this.#getBlob(call, route.name, digestIn(route.digest));
        if (method === "DELETE") return this.#deleteBlob(call, route.name, digestIn(route.digest));
        break;
      case "manifest":
        if (isRead) return this.#getManifest(call, route.name, route.reference);
        if (method === "PUT") return this.#putManifest(call, route.name, route.reference);
        if (method === "DELETE") return this.#deleteManifest(call, route.name, route.reference);
        break;
      case "uploads":
        if (method === "POST") return this.#startUpload(call, route.name);
        break;
      case "upload":
        return this.#upload(call, route);
      default:
        return unreachable(route);
    }
    throw new RegistryFault("UNSUPPORTED", `${method} means nothing here`);
  }

  async #upload(call: Call, route: { readonly name: RepositoryName; readonly id: string }): Promise<void> {
    const { name, id } = route;
    const method: string = call.request.method ?? "GET";
    switch (method) {
      case "PATCH":
        return this.#patchUpload(call, name, id);
      case "PUT":
        return this.#finishUpload(call, name, id);
      case "GET":
        return answerProgress(call, 204, { name, id, received: await this.#uploads.received(id) });
      case "DELETE":
        await this.#uploads.cancel(id);
        return answer(call, 204);
      default:
        throw new RegistryFault("UNSUPPORTED", `${method} means nothing for an upload`);
    }
  }

  async #catalog(call: Call): Promise<void> {
    const page = pageOf(await this.#repositories.list(), call.query);
    if (page.last !== undefined) call.response.setHeader("Link", nextLink("/v2/_catalog", call.query, page.last));
    sendJson(call, { repositories: page.items });
  }

  async #tags(call: Call, name: RepositoryName): Promise<void> {
    if (!(await this.#repositories.exists(name))) throw unknownName(name);
    const page = pageOf(await this.#repositories.tags(name), call.query);
    if (page.last !== undefined) {
      call.response.setHeader("Link", nextLink(`/v2/${name}/tags/list`, call.query, page.last));
    }
    sendJson(call, { name, tags: page.items });
  }

  async #referrers(call: Call, name: RepositoryName, digestText: string): Promise<void> {
    const all = await this.#repositories.referrers(name, digestIn(digestText));
    const wanted = call.query.get("artifactType");
    const manifests = wanted === null ? all : all.filter((one) => one.artifactType === wanted);
    if (wanted !== null) call.response.setHeader("OCI-Filters-Applied", "artifactType");
    sendJson(call, { schemaVersion: 2, mediaType: mediaType.index, manifests }, mediaType.index);
  }

  async #getBlob(call: Call, name: RepositoryName, digest: Digest): Promise<void> {
    const info = (await this.#repositories.hasBlob(name, digest)) ? await this.#store.info(digest) : undefined;
    if (info === undefined) throw new RegistryFault("BLOB_UNKNOWN", `${name} has no blob ${digest}`);
    const { response, request } = call;
    response.setHeader("Docker-Content-Digest", digest);
    response.setHeader("Accept-Ranges", "bytes");
    response.setHeader("ETag", `"${digest}"`);
    response.setHeader("Content-Type", mediaType.octets);
    const range = request.method === "GET" ? parseRange(request.headers.range, info.sizeBytes) : undefined;
    if (range === "unsatisfiable") {
      response.setHeader("Content-Range", `bytes */${info.sizeBytes}`);
      throw new RegistryFault("RANGE_INVALID", `${digest} has ${info.sizeBytes} bytes`);
    }
    const { start, end } = range ?? { start: 0, end: info.sizeBytes };
    response.setHeader("Content-Length", end - start);
    if (range !== undefined) response.setHeader("Content-Range", `bytes ${start}-${end - 1}/${info.sizeBytes}`);
    response.statusCode = range === undefined ? 200 : 206;
    if (request.method === "HEAD") response.end();
    else await pipeline(await this.#store.read({ digest, size: info.sizeBytes }, { start, end }), response);
  }

  async #deleteBlob(call: Call, name: RepositoryName, digest: Digest): Promise<void> {
    const removed = await this.#repositories.removeBlob(name, digest);
    if (!removed) throw new RegistryFault("BLOB_UNKNOWN", `${name} has no blob ${digest}`);
    answer(call, 202);
  }

  async #getManifest(call: Call, name: RepositoryName, reference: string): Promise<void> {
    const digest = await this.#digestOf(name, reference);
    const link = digest === undefined ? undefined : await this.#repositories.manifest(name, digest);
    if (digest === undefined || link === undefined) {
      throw new RegistryFault("MANIFEST_UNKNOWN", `${name} has no manifest ${reference.slice(0, 140)}`);
    }
    const { response, request } = call;
    response.writeHead(200, {
      "Content-Type": link.mediaType,
      "Content-Length": link.size,
      "Docker-Content-Digest": digest,
      ETag: `"${digest}"`,
    });
    if (request.method === "HEAD") response.end();
    else await pipeline(await this.#store.read({ digest, size: link.size }), response);
  }

  async #digestOf(name: RepositoryName, reference: string): Promise<Digest | undefined> {
    if (reference.includes(":")) return digestIn(reference);
    return isImageTag(reference) ? this.#repositories.tag(name, reference) : undefined;
  }

  async #putManifest(call: Call, name: RepositoryName, reference: string): Promise<void> {
    const { request, response } = call;
    const isByDigest = reference.includes(":");
    const tags = isByDigest ? call.query.getAll("tag").map(tagIn) : [tagIn(reference)];
    if (tags.length > tagParametersMax) {
      throw new RegistryFault("TAG_INVALID", `at most ${tagParametersMax} tags are set at once`);
    }
    const named = isByDigest ? digestIn(reference) : optionalDigestIn(call.query.get("digest"));
    const bytes = await readManifest(request);
    const digest = digestOf(bytes, named === undefined ? "sha256" : digestAlgorithm(named));
    if (named !== undefined && named !== digest) {
      throw new RegistryFault("DIGEST_INVALID", `the manifest has the digest ${digest}, not ${named}`);
    }
    const document = readDocument(bytes, request.headers["content-type"]);
    await this.#checkReferences(name, document);
    const type =
      request.headers["content-type"] === undefined ? document.mediaType : bareType(request.headers["content-type"]);
    await this.#store.ingest(chunk(bytes), { digest, size: bytes.length });
    const referrer = referrerOf({ mediaType: type, digest, size: bytes.length }, document);
    await this.#repositories.addManifest(name, referrer, document.subject?.digest);
    for (const tag of tags) await this.#repositories.setTag(name, tag, digest);
    // Specification after 1.1, "Pushing Manifests": `PUT <digest>?tag=a&tag=b` sets tags in the same request.
    if (isByDigest && tags.length > 0) response.setHeader("OCI-Tag", tags.join(", "));
    if (document.subject !== undefined) response.setHeader("OCI-Subject", document.subject.digest);
    response.setHeader("Docker-Content-Digest", digest);
    response.setHeader("Location", `/v2/${name}/manifests/${digest}`);
    answer(call, 201);
  }

  /** What a manifest names must be here first, so that who pulls it gets all; a subject may come later. */
  async #checkReferences(name: RepositoryName, document: ManifestDocument): Promise<void> {
    for (const child of referencesOf(document)) {
      if (isForeignLayerType(child.mediaType)) continue;
      // An index may name blobs, too.
      const isManifest =
        document.kind === "index" && (await this.#repositories.manifest(name, child.digest)) !== undefined;
      const isHere =
        isManifest || ((await this.#repositories.hasBlob(name, child.digest)) && (await this.#store.has(child.digest)));
      if (isHere) continue;
      throw new RegistryFault("MANIFEST_BLOB_UNKNOWN", `${name} does not have ${child.digest}; push it first`);
    }
  }

  async #deleteManifest(call: Call, name: RepositoryName, reference: string): Promise<void> {
    const removed = reference.includes(":")
      ? await this.#repositories.removeManifest(name, digestIn(reference))
      : isImageTag(reference) && (await this.#repositories.removeTag(name, reference));
    if (!removed) throw new RegistryFault("MANIFEST_UNKNOWN", `${name} has no manifest ${reference.slice(0, 140)}`);
    answer(call, 202);
  }

  async #startUpload(call: Call, name: RepositoryName): Promise<void> {
    const { query, request, response } = call;
    const mount = query.get("mount");
    if (mount !== null && (await this.#mount(name, mount, query.get("from")))) {
      return answerStored(call, name, digestIn(mount));
    }
    const digest = optionalDigestIn(query.get("digest"));
    const algorithm = query.get("digest-algorithm") ?? "sha256";
    if (!isDigestAlgorithm(algorithm))
      throw new RegistryFault("DIGEST_INVALID", "the algorithms are sha256 and sha512");
    const id = await this.#uploads.start(digest === undefined ? algorithm : digestAlgorithm(digest));
    if (digest === undefined) {
      request.resume();
      response.setHeader("OCI-Chunk-Min-Length", "0");
      return answerProgress(call, 202, { name, id, received: 0 });
    }
    await this.#uploads.finish(id, { digest }, { piece: bodyOf(request), start: undefined });
    await this.#repositories.addBlob(name, digest);
    answerStored(call, name, digest);
  }

  /** A mount of what is not there starts an upload instead: so the specification wants it. */
  async #mount(name: RepositoryName, digestText: string, from: string | null): Promise<boolean> {
    const digest = digestIn(digestText);
    if (from === null || !isRepositoryName(from)) return false;
    if (!(await this.#repositories.hasBlob(from, digest)) || !(await this.#store.has(digest))) return false;
    await this.#repositories.addBlob(name, digest);
    return true;
  }

  async #patchUpload(call: Call, name: RepositoryName, id: string): Promise<void> {
    const { request, response } = call;
    await this.#uploads.received(id);
    const range = parseContentRange(request.headers["content-range"]);
    const length = request.headers["content-length"];
    if (range !== undefined && length !== undefined && Number(length) !== range.length) {
      throw new RegistryFault("SIZE_INVALID", `Content-Range says ${range.length} bytes, Content-Length ${length}`);
    }
    try {
      const received = await this.#uploads.append(id, bodyOf(request), range?.start);
      answerProgress(call, 202, { name, id, received });
    } catch (error) {
      // So that a client that lost count can go on.
      if (error instanceof RegistryFault && error.code === "RANGE_INVALID") {
        setProgress(response, { name, id, received: await this.#uploads.received(id) });
      }
      throw error;
    }
  }

  async #finishUpload(call: Call, name: RepositoryName, id: string): Promise<void> {
    const { query, request } = call;
    await this.#uploads.received(id);
    const digest = optionalDigestIn(query.get("digest"));
    if (digest === undefined) throw new RegistryFault("DIGEST_INVALID", "PUT of an upload needs ?digest=");
    const range = parseContentRange(request.headers["content-range"]);
    await this.#uploads.finish(id, { digest }, { piece: bodyOf(request), start: range?.start });
    await this.#repositories.addBlob(name, digest);
    answerStored(call, name, digest);
  }
}

function answer(call: Call, status: number): void {
  call.request.resume();
  call.response.writeHead(status, status === 204 ? {} : { "Content-Length": 0 });
  call.response.end();
}

function sendJson(call: Call, document: unknown, type = "application/json"): void {
  const body = JSON.stringify(document);
  call.response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  call.response.end(call.request.method === "HEAD" ? undefined : body);
}

interface Progress {
  readonly name: RepositoryName;
  readonly id: string;
  readonly received: number;
}

function answerProgress(call: Call, status: number, progress: Progress): void {
  setProgress(call.response, progress);
  answer(call, status);
}

function setProgress(response: ServerResponse, { name, id, received }: Progress): void {
  response.setHeader("Location", `/v2/${name}/blobs/uploads/${id}`);
  response.setHeader("Range", `0-${Math.max(0, received - 1)}`);
  response.setHeader("Docker-Upload-UUID", id);
}

function answerStored(call: Call, name: RepositoryName, digest: Digest): void {
  call.response.setHeader("Location", `/v2/${name}/blobs/${digest}`);
  call.response.setHeader("Docker-Content-Digest", digest);
  answer(call, 201);
}

function digestIn(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegistryFault("DIGEST_INVALID", `"${text.slice(0, 140)}" is no sha256 or sha512 digest`);
}

function tagIn(text: string): ImageTag {
  if (isImageTag(text)) return text;
  throw new RegistryFault("TAG_INVALID", `"${text.slice(0, 140)}" is no tag`);
}

const optionalDigestIn = (text: string | null): Digest | undefined => (text === null ? undefined : digestIn(text));

const unknownName = (name: RepositoryName): RegistryFault =>
  new RegistryFault("NAME_UNKNOWN", `there is no repository ${name}`);

/** Left open when it is not read to its end: the connection is needed for saying why. */
const bodyOf = (request: IncomingMessage): AsyncIterable<Buffer> => request.iterator({ destroyOnReturn: false });

async function readManifest(request: IncomingMessage): Promise<Uint8Array> {
  try {
    return await collectBytes(bodyOf(request), manifestBytesMax, "the manifest");
  } catch (error) {
    if (error instanceof ImageFault) throw new RegistryFault("TOO_LARGE", error.message, { cause: error });
    throw error;
  }
}

function readDocument(bytes: Uint8Array, contentType: string | undefined): ManifestDocument {
  try {
    return parseManifest(bytes, contentType, "the manifest");
  } catch (error) {
    if (error instanceof ImageFault) throw new RegistryFault("MANIFEST_INVALID", error.message, { cause: error });
    throw error;
  }
}

/** Distribution specification, "Listing Referrers": the type is the manifest's own, else that of its config. */
function referrerOf(descriptor: Descriptor, document: ManifestDocument): Descriptor {
  const artifactType = document.artifactType ?? (document.kind === "manifest" ? document.config.mediaType : undefined);
  return {
    ...descriptor,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(document.annotations).length === 0 ? {} : { annotations: document.annotations }),
  };
}

async function* chunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/** The items after `last`, at most `n`. `last` of the page is set when there are more. */
function pageOf<Item extends string>(
  items: readonly Item[],
  query: URLSearchParams,
): { readonly items: readonly Item[]; readonly last?: Item } {
  const asked = query.get("n");
  const count = asked !== null && /^\d{1,9}$/.test(asked) ? Math.min(Number(asked), pageMax) : pageDefault;
  const after = query.get("last");
  const rest = after === null ? items : items.filter((item) => item > after);
  const page = rest.slice(0, count);
  const last = page.at(-1);
  return rest.length > count && last !== undefined ? { items: page, last } : { items: page };
}

function nextLink(path: string, query: URLSearchParams, last: string): string {
  const next = new URLSearchParams({ n: query.get("n") ?? String(pageDefault), last });
  return `<${path}?${next.toString()}>; rel="next"`;
}
