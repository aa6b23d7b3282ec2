import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import {
  bareType,
  collectBytes,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestOf,
  ImageFault,
  isForeignLayerType,
  isImageTag,
  manifestBytesMax,
  type ManifestDocument,
  mediaType,
  parseManifest,
  referencesOf,
  type RepositoryName,
} from "@shallop/sdk/image";
import {
  answer,
  bodyOf,
  type Call,
  digestIn,
  linkNext,
  optionalDigestIn,
  pageCount,
  sendJson,
  tagIn,
} from "./answers.ts";
import { RegistryFault } from "./fault.ts";
import { referrerOf } from "./referrer.ts";
import type { Referrer } from "./repositories.ts";
import { storageFull } from "./uploads.ts";
import type { RegistryParts } from "./parts.ts";

/** The specification wants room for ten. */
const tagParametersMax = 32;
/** A page of referrers is an index, and clients need not read larger ones. */
const referrersBytesMax = manifestBytesMax;

type Parts = Pick<RegistryParts, "store" | "repositories" | "claims" | "quota" | "upstream" | "clock">;

/** What the endpoints of manifests and referrers do. Refusals are thrown; the server turns them into answers. */
export class ManifestHandlers {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async get(call: Call, name: RepositoryName, reference: string): Promise<void> {
    const { repositories, store, upstream } = this.#parts;
    await upstream.manifest(name, reference.includes(":") ? digestIn(reference) : reference);
    const digest = await this.#digestOf(name, reference);
    const link = digest === undefined ? undefined : await repositories.manifest(name, digest);
    if (digest === undefined || link === undefined) throw unknownManifest(name, reference);
    const { response, request } = call;
    response.writeHead(200, {
      "Content-Type": link.mediaType,
      "Content-Length": link.size,
      "Docker-Content-Digest": digest,
      ETag: `"${digest}"`,
    });
    if (request.method === "HEAD") response.end();
    else await pipeline(await store.read({ digest, size: link.size }), response);
  }

  async #digestOf(name: RepositoryName, reference: string): Promise<Digest | undefined> {
    if (reference.includes(":")) return digestIn(reference);
    return isImageTag(reference) ? this.#parts.repositories.tag(name, reference) : undefined;
  }

  async put(call: Call, name: RepositoryName, reference: string): Promise<void> {
    const { request, response, query } = call;
    const isByDigest = reference.includes(":");
    const tags = isByDigest ? query.getAll("tag").map(tagIn) : [tagIn(reference)];
    if (tags.length > tagParametersMax) {
      throw new RegistryFault("TAG_INVALID", `at most ${tagParametersMax} tags are set at once`);
    }
    const named = isByDigest ? digestIn(reference) : optionalDigestIn(query.get("digest"));
    const bytes = await readManifest(request);
    const digest = digestOf(bytes, named === undefined ? "sha256" : digestAlgorithm(named));
    if (named !== undefined && named !== digest) {
      throw new RegistryFault("DIGEST_INVALID", `the manifest has the digest ${digest}, not ${named}`);
    }
    const document = readDocument(bytes, request.headers["content-type"]);
    const type =
      request.headers["content-type"] === undefined ? document.mediaType : bareType(request.headers["content-type"]);
    await this.#store(name, { descriptor: { mediaType: type, digest, size: bytes.length }, bytes, document, tags });
    // Specification after 1.1, "Pushing Manifests": `PUT <digest>?tag=a&tag=b` sets tags in the same request.
    if (isByDigest && tags.length > 0) response.setHeader("OCI-Tag", tags.join(", "));
    if (document.subject !== undefined) response.setHeader("OCI-Subject", document.subject.digest);
    response.setHeader("Docker-Content-Digest", digest);
    response.setHeader("Location", `/v2/${name}/manifests/${digest}`);
    answer(call, 201);
  }

  async #store(
    name: RepositoryName,
    manifest: {
      readonly descriptor: Descriptor;
      readonly bytes: Uint8Array;
      readonly document: ManifestDocument;
      readonly tags: readonly ReturnType<typeof tagIn>[];
    },
  ): Promise<void> {
    const { claims, clock, quota, repositories, store } = this.#parts;
    const { descriptor, bytes, document, tags } = manifest;
    const { digest, size } = descriptor;
    await quota.open(name);
    await claims.gate.claim(async () => {
      await this.#checkReferences(name, document);
      const isNew = (await repositories.manifestNamedMs(name, digest)) === undefined;
      if (isNew) quota.check(name, size);
      const isStored = await store.has(digest);
      await storageFull(store.ingest(chunk(bytes), { digest, size }));
      if (isStored) await store.touch(digest, clock.wallMs());
      else quota.stored(size);
      await repositories.addManifest(name, referrerOf(descriptor, document), document.subject?.digest);
      if (isNew) quota.named(name, size);
      for (const tag of tags) await repositories.setTag(name, tag, digest);
    });
  }

  /** What a manifest names must be here first, so that who pulls it gets all; a subject may come later. */
  async #checkReferences(name: RepositoryName, document: ManifestDocument): Promise<void> {
    const { claims } = this.#parts;
    for (const child of referencesOf(document)) {
      if (isForeignLayerType(child.mediaType)) continue;
      // An index may name blobs, too.
      const isManifest = document.kind === "index" && (await claims.manifestWithin(name, child.digest));
      if (isManifest || (await claims.blobWithin(name, child.digest)) !== undefined) continue;
      throw new RegistryFault("MANIFEST_BLOB_UNKNOWN", `${name} does not have ${child.digest}; push it first`);
    }
  }

  async delete(call: Call, name: RepositoryName, reference: string): Promise<void> {
    const { repositories, quota } = this.#parts;
    const removed = reference.includes(":")
      ? await repositories.removeManifest(name, digestIn(reference))
      : isImageTag(reference) && (await repositories.removeTag(name, reference));
    if (!removed) throw unknownManifest(name, reference);
    quota.forget();
    answer(call, 202);
  }

  async referrers(call: Call, name: RepositoryName, subject: Digest): Promise<void> {
    const { repositories } = this.#parts;
    const wanted = call.query.get("artifactType");
    const count = pageCount(call.query);
    const manifests: Referrer[] = [];
    let bytes = 0;
    for await (const referrer of repositories.referrers(name, subject, call.query.get("last") ?? undefined)) {
      if (wanted !== null && referrer.artifactType !== wanted) continue;
      bytes += JSON.stringify(referrer).length;
      const last = manifests.at(-1);
      if (manifests.length >= count || (bytes > referrersBytesMax && last !== undefined)) {
        if (last !== undefined) linkNext(call, `/v2/${name}/referrers/${subject}`, last.digest);
        break;
      }
      manifests.push(referrer);
    }
    if (wanted !== null) call.response.setHeader("OCI-Filters-Applied", "artifactType");
    sendJson(call, { schemaVersion: 2, mediaType: mediaType.index, manifests }, mediaType.index);
  }
}

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

const unknownManifest = (name: RepositoryName, reference: string): RegistryFault =>
  new RegistryFault("MANIFEST_UNKNOWN", `${name} has no manifest ${reference.slice(0, 140)}`);

async function* chunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
