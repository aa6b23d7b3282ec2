import { pipeline } from "node:stream/promises";
import {
  type BlobInfo,
  type Digest,
  digestAlgorithm,
  isDigestAlgorithm,
  isRepositoryName,
  mediaType,
  type RepositoryName,
} from "@shallop/sdk/image";
import {
  answer,
  answerProgress,
  answerStored,
  bodyOf,
  type Call,
  digestIn,
  optionalDigestIn,
  setProgress,
} from "./answers.ts";
import { RegistryFault } from "./fault.ts";
import { parseContentRange, parseRange } from "./route.ts";
import { sendFile } from "./send-file.ts";
import type { UploadSession } from "./uploads.ts";
import type { RegistryParts } from "./parts.ts";

/** Repositories that are looked through for a blob that is to be mounted from anywhere: 0.1 s of it. */
const mountSearchMax = 2_000;

type Parts = Pick<RegistryParts, "store" | "repositories" | "uploads" | "claims" | "quota" | "upstream">;

/** What the endpoints of blobs and uploads do. Refusals are thrown; the server turns them into answers. */
export class BlobHandlers {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async get(call: Call, name: RepositoryName, digest: Digest): Promise<void> {
    const { claims, upstream } = this.#parts;
    const isHead = call.request.method === "HEAD";
    const info = isHead ? await claims.blob(name, digest) : await this.#find(name, digest);
    if (info !== undefined) return this.#send(call, info);
    // Not copied yet: it is passed on while it comes.
    const coming = await upstream.blob(name, digest);
    if (coming === undefined) throw unknownBlob(name, digest);
    const { response } = call;
    setBlobHeaders(call, digest);
    response.setHeader("Content-Length", coming.sizeBytes);
    if (isHead) return void response.end();
    await pipeline(coming.open(), response);
  }

  async #find(name: RepositoryName, digest: Digest): Promise<BlobInfo | undefined> {
    const { repositories, store } = this.#parts;
    return (await repositories.hasBlob(name, digest)) ? store.info(digest) : undefined;
  }

  async #send(call: Call, { digest, sizeBytes }: BlobInfo): Promise<void> {
    const { response, request } = call;
    setBlobHeaders(call, digest);
    response.setHeader("Accept-Ranges", "bytes");
    const range = request.method === "GET" ? parseRange(request.headers.range, sizeBytes) : undefined;
    if (range === "unsatisfiable") {
      throw new RegistryFault("RANGE_INVALID", `${digest} has ${sizeBytes} bytes`, {
        headers: { "Content-Range": `bytes */${sizeBytes}` },
      });
    }
    const { start, end } = range ?? { start: 0, end: sizeBytes };
    response.setHeader("Content-Length", end - start);
    if (range !== undefined) response.setHeader("Content-Range", `bytes ${start}-${end - 1}/${sizeBytes}`);
    response.statusCode = range === undefined ? 200 : 206;
    if (request.method === "HEAD") response.end();
    else await sendFile(this.#parts.store.path(digest), { start, end }, response);
  }

  async delete(call: Call, name: RepositoryName, digest: Digest): Promise<void> {
    const removed = await this.#parts.repositories.removeBlob(name, digest);
    if (!removed) throw unknownBlob(name, digest);
    this.#parts.quota.forget();
    answer(call, 202);
  }

  async startUpload(call: Call, name: RepositoryName): Promise<void> {
    const { uploads } = this.#parts;
    const { query, request, response } = call;
    const mount = query.get("mount");
    if (mount !== null && (await this.#mount(call, name, digestIn(mount)))) {
      return answerStored(call, name, digestIn(mount));
    }
    const digest = optionalDigestIn(query.get("digest"));
    const algorithm = query.get("digest-algorithm") ?? "sha256";
    if (!isDigestAlgorithm(algorithm))
      throw new RegistryFault("DIGEST_INVALID", "the algorithms are sha256 and sha512");
    const id = await uploads.start(name, digest === undefined ? algorithm : digestAlgorithm(digest));
    if (digest === undefined) {
      request.resume();
      response.setHeader("OCI-Chunk-Min-Length", "0");
      return answerProgress(call, 202, { name, id, received: 0 });
    }
    try {
      await this.#store(call, { name, id }, { digest, start: undefined });
    } catch (error) {
      // Its id was told to nobody, so nobody will go on with it.
      await uploads.cancel({ name, id }).catch(() => undefined);
      throw error;
    }
  }

  /** A mount of what is not there starts an upload instead: so the specification wants it. */
  async #mount(call: Call, name: RepositoryName, digest: Digest): Promise<boolean> {
    const { claims, quota, repositories } = this.#parts;
    const from = call.query.get("from");
    const source = from === null ? await this.#anySource(call, digest) : isRepositoryName(from) ? from : undefined;
    if (source === undefined || !call.principal.may("pull", source)) return false;
    await quota.open(name);
    return claims.gate.claim(async () => {
      const found = await claims.blobWithin(source, digest);
      if (found === undefined) return false;
      if (!(await repositories.hasBlob(name, digest))) quota.check(name, found.sizeBytes);
      if (await claims.nameWithin(name, digest)) quota.named(name, found.sizeBytes);
      return true;
    });
  }

  /** A repository that has the blob and that the caller may read. Specification, "Mounting a blob": `from` may be missing. */
  async #anySource(call: Call, digest: Digest): Promise<RepositoryName | undefined> {
    const { repositories, store } = this.#parts;
    if (!(await store.has(digest))) return undefined;
    let searched = 0;
    for await (const name of repositories.walk()) {
      if (call.principal.may("pull", name) && (await repositories.hasBlob(name, digest))) return name;
      if (++searched >= mountSearchMax) return undefined;
    }
    return undefined;
  }

  async upload(call: Call, session: UploadSession): Promise<void> {
    const { uploads } = this.#parts;
    const method: string = call.request.method ?? "GET";
    switch (method) {
      case "PATCH":
        return this.#append(call, session);
      case "PUT": {
        await uploads.received(session);
        const digest = optionalDigestIn(call.query.get("digest"));
        if (digest === undefined) throw new RegistryFault("DIGEST_INVALID", "PUT of an upload needs ?digest=");
        const range = parseContentRange(call.request.headers["content-range"]);
        return this.#store(call, session, { digest, start: range?.start });
      }
      case "GET":
        return answerProgress(call, 204, { ...session, received: await uploads.received(session) });
      case "DELETE":
        await uploads.cancel(session);
        return answer(call, 204);
      default:
        throw new RegistryFault("UNSUPPORTED", `${method} means nothing for an upload`, {
          headers: { Allow: "GET, PATCH, PUT, DELETE" },
        });
    }
  }

  async #append(call: Call, session: UploadSession): Promise<void> {
    const { request, response } = call;
    const { uploads } = this.#parts;
    await uploads.received(session);
    const range = parseContentRange(request.headers["content-range"]);
    const length = request.headers["content-length"];
    if (range !== undefined && length !== undefined && Number(length) !== range.length) {
      throw new RegistryFault("SIZE_INVALID", `Content-Range says ${range.length} bytes, Content-Length ${length}`);
    }
    try {
      const received = await uploads.append(session, { bytes: bodyOf(request), start: range?.start });
      answerProgress(call, 202, { ...session, received });
    } catch (error) {
      // So that a client that lost count can go on.
      if (error instanceof RegistryFault && error.code === "RANGE_INVALID") {
        setProgress(response, { ...session, received: await uploads.received(session) });
      }
      throw error;
    }
  }

  /** Makes the upload, with what this request brings, a blob of its repository. */
  async #store(
    call: Call,
    session: UploadSession,
    last: { readonly digest: Digest; readonly start: number | undefined },
  ): Promise<void> {
    const { uploads, claims, quota, store } = this.#parts;
    const { name } = session;
    const { digest, start } = last;
    await uploads.finish(session, { digest }, { bytes: bodyOf(call.request), start });
    if (await claims.name(name, digest)) quota.named(name, (await store.info(digest))?.sizeBytes ?? 0);
    answerStored(call, name, digest);
  }
}

function setBlobHeaders({ response }: Call, digest: Digest): void {
  response.setHeader("Docker-Content-Digest", digest);
  response.setHeader("ETag", `"${digest}"`);
  response.setHeader("Content-Type", mediaType.octets);
}

const unknownBlob = (name: RepositoryName, digest: Digest): RegistryFault =>
  new RegistryFault("BLOB_UNKNOWN", `${name} has no blob ${digest}`);
