import { type Clock, type Random, systemClock, systemRandom, Turnstile } from "@shallop/sdk/internal";
import { once } from "./content-store.ts";
import {
  checkBytes,
  type Digest,
  digestAlgorithm,
  digestOf,
  isDigest,
  type VerifiedBytes,
  verified,
} from "./digest.ts";
import { type CredentialSource, noCredentials } from "./docker-credentials.ts";
import { ImageFault } from "./fault.ts";
import { bodyBytes, HttpExchange, pacedBody, type RequestBody } from "./http-exchange.ts";
import { isObject } from "./json-fields.ts";
import {
  bareType,
  type Descriptor,
  type ManifestBlob,
  manifestBlob,
  manifestBytesMax,
  parseManifest,
} from "./manifest.ts";
import { isIndexType, isManifestType, manifestMediaTypes, mediaType } from "./media-types.ts";
import {
  formatReference,
  imageTag,
  type ImageReference,
  isImageTag,
  referrersTag,
  type RegistryHost,
  type RepositoryName,
} from "./reference.ts";
import { RegistryAuth } from "./registry-auth.ts";
import { RegistryCaller, type RegistryEndpoint } from "./registry-call.ts";
import type { RegistryMirrors } from "./registry-mirrors.ts";
import { pushBlob } from "./registry-upload.ts";

/** A repository in a registry; every ImageReference is one. */
export type Repository = Pick<ImageReference, "registry" | "repository">;

export interface RegistryClientOptions {
  readonly credentials?: CredentialSource;
  /** By registry host as it stands in references. */
  readonly endpoints?: ReadonlyMap<string, RegistryEndpoint>;
  /** Where a registry is read first, by its host: copies of it, asked in order; then it is asked itself. */
  readonly mirrors?: RegistryMirrors;
  /** Hosts that may be spoken to without TLS, besides those of this machine. */
  readonly plainHttp?: ReadonlySet<string>;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** How far a transfer is. Called often; must be quick. */
export type OnProgress = (progress: {
  readonly digest: Digest;
  readonly bytes: number;
  readonly total: number;
}) => void;

export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Blobs that one client moves at once in each direction, of all images together: enough to hide the latency, few enough
 * to leave the line to others, and not to be taken for an attack.
 */
export const transfersMax = 4;
/** A blob's stream may break this often without bringing a byte, before it is given up. */
const resumesWithoutBytesMax = 5;
/** And this often in all: a connection that breaks more is not going to bring a layer through. */
const resumesMax = 50;
/** A page of tags is some tens of kilobytes. */
const tagPageBytesMax = 4 * 1024 * 1024;
/** Tags that are listed; the largest public repositories have some ten thousand. */
const tagsMax = 100_000;

/**
 * Reads and writes images in registries (OCI distribution specification 1.1). No byte is given out under a digest that
 * it does not have. Faults are ImageFaults; those that may pass by themselves were already tried again.
 */
export class RegistryClient {
  readonly #exchange = new HttpExchange();
  readonly #caller: RegistryCaller;
  readonly #clock: Clock;
  // Two, because what copies from one registry to another holds a place of each.
  readonly #pulls = new Turnstile(transfersMax);
  readonly #pushes = new Turnstile(transfersMax);

  constructor(options: RegistryClientOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    const source = options.credentials ?? noCredentials;
    this.#caller = new RegistryCaller({
      exchange: this.#exchange,
      auth: new RegistryAuth(this.#exchange, source, this.#clock),
      clock: this.#clock,
      random: options.random ?? systemRandom,
      endpoints: options.endpoints ?? new Map(),
      mirrors: options.mirrors ?? new Map(),
      plainHttp: options.plainHttp ?? new Set(),
    });
  }

  /**
   * What a reference points at now. A tag is asked for by HEAD, and by GET where the registry's answer to HEAD has no
   * digest. A reference with a digest needs the question too: it says whether the registry has it.
   *
   * @throws ImageFault MANIFEST_UNKNOWN, and the faults of `RegistryCaller.call`
   */
  async resolve(reference: ImageReference, signal?: AbortSignal): Promise<Descriptor> {
    const what = `looking for ${formatReference(reference)}`;
    // Some registries answer HEAD with 405 or 400; those are asked by GET.
    const accept = [200, 400, 405, 501];
    const answer = await this.#caller.call({ ...this.#manifestCall(reference, what, signal), method: "HEAD", accept });
    answer.body.resume();
    const digest = answer.headers["docker-content-digest"];
    const size = Number(answer.headers["content-length"] ?? Number.NaN);
    const type = bareType(answer.headers["content-type"] ?? "");
    const complete = typeof digest === "string" && isDigest(digest) && (isIndexType(type) || isManifestType(type));
    if (answer.status !== 200 || !complete || !Number.isSafeInteger(size)) {
      return (await this.manifest(reference, signal)).descriptor;
    }
    if (reference.digest !== undefined && reference.digest !== digest) {
      const text = `${what} failed: ${reference.registry} answered with ${digest}`;
      throw new ImageFault("DIGEST_MISMATCH", text);
    }
    return { mediaType: type, digest, size };
  }

  /**
   * Reads a manifest or index; verified against the reference's digest when it has one.
   *
   * @throws ImageFault MANIFEST_UNKNOWN | MANIFEST_INVALID | DIGEST_MISMATCH | TOO_LARGE, and those of `call`
   */
  async manifest(reference: ImageReference, signal?: AbortSignal): Promise<ManifestBlob> {
    const name = formatReference(reference);
    const what = `reading the manifest of ${name}`;
    const answer = await this.#caller.call({ ...this.#manifestCall(reference, what, signal), accept: [200] });
    const bytes = await this.#readAll(answer, what, signal);
    const type = bareType(answer.headers["content-type"] ?? "");
    if (reference.digest !== undefined) checkBytes(bytes, { digest: reference.digest }, `the manifest of ${name}`);
    if (type === "text/html") {
      throw new ImageFault("MANIFEST_INVALID", `${what} failed: ${reference.registry} answered with a web page`);
    }
    return manifestBlob(bytes, parseManifest(bytes, type, `the manifest of ${name}`), reference.digest);
  }

  /** The bytes of a small blob or child manifest, verified. @throws as `manifest` and `blob` */
  async bytes(repository: Repository, descriptor: Descriptor, signal?: AbortSignal): Promise<Uint8Array> {
    if (descriptor.size > manifestBytesMax) {
      throw new ImageFault(
        "TOO_LARGE",
        `${descriptor.digest} has ${descriptor.size} bytes, at most ${manifestBytesMax} are read`,
      );
    }
    if (isIndexType(descriptor.mediaType) || isManifestType(descriptor.mediaType)) {
      const { registry, repository: name } = repository;
      const blob = await this.manifest({ registry, repository: name, digest: descriptor.digest }, signal);
      checkBytes(blob.bytes, descriptor, `the manifest ${descriptor.digest}`);
      return blob.bytes;
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.blob(repository, descriptor, { signal })) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /**
   * Streams a blob. A connection that breaks is taken up where it broke. The last chunk comes only when digest and size
   * are right. Of all streams of this client a few run at once; the others begin when one has ended.
   *
   * @throws ImageFault BLOB_UNKNOWN | DIGEST_MISMATCH | SIZE_MISMATCH | REGISTRY_UNREACHABLE, and those of `call`
   */
  blob(repository: Repository, descriptor: Descriptor, options: TransferOptions = {}): VerifiedBytes {
    const what = `${descriptor.digest} of ${repository.registry}/${repository.repository}`;
    return verified(this.#inTurn(repository, descriptor, options), descriptor, what);
  }

  async *#inTurn(
    repository: Repository,
    descriptor: Descriptor,
    { signal, onProgress }: TransferOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    using _place = await this.#pulls.enter();
    signal?.throwIfAborted();
    let bytes = 0;
    for await (const chunk of this.#resumed(repository, descriptor, signal)) {
      bytes += chunk.length;
      onProgress?.({ digest: descriptor.digest, bytes, total: descriptor.size });
      yield chunk;
    }
  }

  async *#resumed(
    repository: Repository,
    descriptor: Descriptor,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let offset = 0;
    let fruitless = 0;
    for (let resumes = 0; ; resumes++) {
      const before = offset;
      try {
        for await (const chunk of this.#blobFrom(repository, descriptor, offset, signal)) {
          offset += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof ImageFault) throw error;
        fruitless = offset > before ? 0 : fruitless + 1;
        if (fruitless >= resumesWithoutBytesMax || resumes >= resumesMax) {
          const text = `reading ${descriptor.digest} from ${repository.registry} broke off after ${offset} of ${descriptor.size} bytes`;
          throw new ImageFault("REGISTRY_UNREACHABLE", text, { cause: error, retryable: true });
        }
        await this.#clock.sleep(this.#caller.backoffMs(fruitless + 1), signal);
      }
    }
  }

  async *#blobFrom(
    repository: Repository,
    descriptor: Descriptor,
    offset: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const what = `reading ${descriptor.digest} from ${repository.registry}/${repository.repository}`;
    const answer = await this.#caller.call({
      registry: repository.registry,
      method: "GET",
      target: `${repository.repository}/blobs/${descriptor.digest}`,
      scope: pullScope(repository.repository),
      what,
      headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
      accept: [200, 206],
      missing: "BLOB_UNKNOWN",
      signal,
    });
    const start = Number(/^bytes (\d+)-/.exec(answer.headers["content-range"] ?? "")?.[1] ?? 0);
    const promised = Number(answer.headers["content-length"] ?? Number.NaN) + (answer.status === 206 ? start : 0);
    if (Number.isSafeInteger(promised) && promised !== descriptor.size) {
      answer.body.destroy();
      const text = `${what} failed: it answered with ${promised} bytes, promised were ${descriptor.size}`;
      throw new ImageFault("SIZE_MISMATCH", text);
    }
    if (answer.status === 206 && start !== offset) {
      answer.body.destroy();
      throw new ImageFault(
        "REGISTRY_INVALID",
        `${what} failed: asked for bytes from ${offset}, got those from ${start}`,
      );
    }
    // A registry that ignores Range gives all again.
    let skip = answer.status === 200 ? offset : 0;
    for await (const chunk of pacedBody(answer, this.#clock)) {
      const rest = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - rest.length;
      if (rest.length > 0) yield rest;
    }
  }

  async hasBlob(repository: Repository, digest: Digest, signal?: AbortSignal): Promise<boolean> {
    return (await this.#headBlob(repository, digest, signal)).status === 200;
  }

  /** Bytes of a blob; undefined when there is none. @throws ImageFault REGISTRY_INVALID when it is not said */
  async blobSize(repository: Repository, digest: Digest, signal?: AbortSignal): Promise<number | undefined> {
    const { status, headers } = await this.#headBlob(repository, digest, signal);
    if (status !== 200) return undefined;
    const length = headers["content-length"] ?? "";
    if (/^\d{1,15}$/.test(length)) return Number(length);
    throw new ImageFault("REGISTRY_INVALID", `${repository.registry} does not say how long ${digest} is`);
  }

  async #headBlob(repository: Repository, digest: Digest, signal: AbortSignal | undefined) {
    const answer = await this.#caller.call({
      registry: repository.registry,
      method: "HEAD",
      target: `${repository.repository}/blobs/${digest}`,
      scope: pullScope(repository.repository),
      what: `looking for ${digest} in ${repository.registry}/${repository.repository}`,
      accept: [200, 404],
      signal,
    });
    answer.body.resume();
    return answer;
  }

  /**
   * Gives the registry a blob, unless it has it. Where it may have it in another repository, `mountFrom` saves the
   * transfer.
   *
   * @param open the blob's bytes from an offset on; called again when a transfer broke
   * @returns how the blob got there
   */
  async pushBlob(
    repository: Repository,
    blob: { readonly descriptor: Descriptor; open(offset: number): AsyncIterable<Uint8Array> },
    options: TransferOptions & { readonly mountFrom?: RepositoryName } = {},
  ): Promise<"present" | "mounted" | "uploaded"> {
    using _place = await this.#pushes.enter();
    options.signal?.throwIfAborted();
    if (await this.hasBlob(repository, blob.descriptor.digest, options.signal)) return "present";
    return await pushBlob({ caller: this.#caller, clock: this.#clock, repository, ...options }, blob);
  }

  /**
   * Stores a manifest under a tag, or under its digest when the reference has no tag. What it names must be there.
   *
   * @throws ImageFault DIGEST_MISMATCH when the registry says it stored something else, and those of `call`
   */
  async pushManifest(
    reference: ImageReference,
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    signal?: AbortSignal,
  ): Promise<Descriptor> {
    const digest = digestOf(manifest.bytes, digestAlgorithm(reference.digest ?? digestOf("")));
    const what = `writing the manifest of ${formatReference(reference)}`;
    const body: RequestBody = { size: manifest.bytes.length, open: () => once(manifest.bytes) };
    const answer = await this.#caller.call({
      registry: reference.registry,
      method: "PUT",
      target: `${reference.repository}/manifests/${reference.tag ?? digest}`,
      scope: pushScope(reference.repository),
      what,
      headers: { "content-type": manifest.mediaType },
      body,
      accept: [201],
      signal,
    });
    answer.body.resume();
    const stored = answer.headers["docker-content-digest"];
    if (typeof stored === "string" && stored !== digest && stored.startsWith(`${digestAlgorithm(digest)}:`)) {
      throw new ImageFault("DIGEST_MISMATCH", `${what} failed: the registry stored ${stored}, sent was ${digest}`);
    }
    return { mediaType: manifest.mediaType, digest, size: manifest.bytes.length };
  }

  /**
   * Resolves when the registry takes this client's credentials. Distribution specification, "Determining Support".
   * @throws ImageFault UNAUTHORIZED, REGISTRY_UNREACHABLE, …
   */
  async checkLogin(registry: RegistryHost, signal?: AbortSignal): Promise<void> {
    const what = `logging in to ${registry}`;
    const answer = await this.#caller.call({
      registry,
      method: "GET",
      target: "",
      scope: "",
      what,
      accept: [200],
      signal,
    });
    answer.body.resume();
  }

  /** Tags of a repository, in the registry's order. @throws ImageFault MANIFEST_UNKNOWN when there is no repository */
  async tags(repository: Repository, signal?: AbortSignal): Promise<readonly string[]> {
    const tags: string[] = [];
    const what = `listing the tags of ${repository.registry}/${repository.repository}`;
    let query = "n=1000";
    for (;;) {
      const answer = await this.#caller.call({
        registry: repository.registry,
        method: "GET",
        target: `${repository.repository}/tags/list?${query}`,
        scope: pullScope(repository.repository),
        what,
        accept: [200],
        missing: "MANIFEST_UNKNOWN",
        signal,
      });
      const page = parseTagPage(await bodyBytes(answer, tagPageBytesMax, what), what);
      tags.push(...page);
      if (tags.length > tagsMax) throw new ImageFault("TOO_LARGE", `${what} failed: there are more than ${tagsMax}`);
      const next = /<[^>]*\?([^>]*)>\s*;\s*rel="?next"?/.exec(String(answer.headers["link"] ?? ""))?.[1];
      // A page that brings nothing new would be asked for for ever.
      if (next === undefined || next === query || page.length === 0) return tags;
      query = next;
    }
  }

  /**
   * Manifests whose subject is `subject`: signatures, bills of materials, provenance. A registry without that API has them
   * in the index under the tag `sha256-<hex>` (distribution specification, "Referrers Tag Schema").
   *
   * @returns `hasApi`: whether the registry keeps that list by itself
   * @throws ImageFault as `manifest`
   */
  async referrers(
    repository: Repository,
    subject: Digest,
    signal?: AbortSignal,
  ): Promise<{ readonly hasApi: boolean; readonly manifests: readonly Descriptor[] }> {
    const what = `listing what refers to ${subject} in ${repository.registry}/${repository.repository}`;
    const answer = await this.#caller.call({
      registry: repository.registry,
      method: "GET",
      target: `${repository.repository}/referrers/${subject}`,
      scope: pullScope(repository.repository),
      what,
      headers: { accept: mediaType.index },
      accept: [200, 400, 404, 405],
      signal,
    });
    if (answer.status === 200) {
      const document = parseManifest(await this.#readAll(answer, what, signal), mediaType.index, what);
      return { hasApi: true, manifests: document.kind === "index" ? document.manifests : [] };
    }
    answer.body.resume();
    const { registry, repository: name } = repository;
    const tagged = { registry, repository: name, tag: imageTag(referrersTag(subject)) };
    const found = await this.manifest(tagged, signal).catch((error: unknown) => {
      if (error instanceof ImageFault && error.code === "MANIFEST_UNKNOWN") return undefined;
      throw error;
    });
    return { hasApi: false, manifests: found?.document.kind === "index" ? found.document.manifests : [] };
  }

  /** Closes the connections. */
  [Symbol.dispose](): void {
    this.#exchange[Symbol.dispose]();
  }

  #manifestCall(reference: ImageReference, what: string, signal: AbortSignal | undefined) {
    return {
      registry: reference.registry,
      method: "GET",
      target: `${reference.repository}/manifests/${reference.digest ?? reference.tag ?? "latest"}`,
      scope: pullScope(reference.repository),
      what,
      headers: { accept: manifestMediaTypes.join(", ") },
      missing: "MANIFEST_UNKNOWN",
      signal,
    } as const;
  }

  async #readAll(
    answer: Awaited<ReturnType<RegistryCaller["call"]>>,
    what: string,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    try {
      return await bodyBytes(answer, manifestBytesMax, what);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ImageFault) throw error;
      throw new ImageFault("REGISTRY_UNREACHABLE", `${what} broke off`, { cause: error, retryable: true });
    }
  }
}

const pullScope = (repository: RepositoryName): string => `repository:${repository}:pull`;

const pushScope = (repository: RepositoryName): string => `repository:${repository}:pull,push`;

function parseTagPage(bytes: Uint8Array, what: string): readonly string[] {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new ImageFault("REGISTRY_INVALID", `${what} failed: the answer is not JSON`, { cause: error });
  }
  const tags: unknown = isObject(json) ? json["tags"] : undefined;
  if (tags === null || tags === undefined) return [];
  const list: readonly unknown[] = Array.isArray(tags) ? tags : [undefined];
  if (list.every((tag): tag is string => typeof tag === "string" && isImageTag(tag))) return list;
  throw new ImageFault("REGISTRY_INVALID", `${what} failed: the answer is no list of tags`);
}
