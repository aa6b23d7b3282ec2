import { type Digest, isDigest } from "./digest.ts";
import { ImageFault } from "./fault.ts";

declare const kind: unique symbol;

/** `host[:port]` as it stands in references: `docker.io`, `127.0.0.1:5000`, `[::1]:5000`. */
export type RegistryHost = string & { readonly [kind]: "registry host" };
/** `library/alpine`: path components, lower case. */
export type RepositoryName = string & { readonly [kind]: "repository name" };
export type ImageTag = string & { readonly [kind]: "image tag" };

/** Where an image is. With both, `digest` says which bytes and `tag` is only a label. */
export interface ImageReference {
  readonly registry: RegistryHost;
  readonly repository: RepositoryName;
  readonly tag?: ImageTag;
  readonly digest?: Digest;
}

/** What `docker.io/...` means: its API is on another host, its official images are under `library/`. */
const dockerHub = { name: "docker.io", alias: "index.docker.io", api: "registry-1.docker.io" } as const;

// Longest names and tags of github.com/distribution/reference; a host name has at most 253 (RFC 1035) and a port 6.
const repositoryLengthMax = 255;
const hostLengthMax = 260;
const referenceLengthMax = hostLengthMax + 1 + repositoryLengthMax + 1 + 128 + 1 + 136;

// The grammar of distribution/reference, "reference.go". The quantifiers are possessive in effect: no two of them can
// match the same text, so matching is linear.
const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const hostPattern = new RegExp(
  `^(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`,
);
const repositoryPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

function isRegistryHost(text: string): text is RegistryHost {
  if (text.length > hostLengthMax || !hostPattern.test(text)) return false;
  const port = /:(\d+)$/.exec(text.replace(/^\[[^\]]*\]/, ""))?.[1];
  return port === undefined || (Number(port) > 0 && Number(port) < 65_536);
}

/** Path components of lower-case letters and digits, joined by `/`; inside one, `.`, `_`, `__` or dashes may separate. */
export const isRepositoryName = (text: string): text is RepositoryName =>
  text.length <= repositoryLengthMax && repositoryPattern.test(text);

export const isImageTag = (text: string): text is ImageTag => tagPattern.test(text);

/** @throws ImageFault REFERENCE_INVALID */
export function registryHost(text: string): RegistryHost {
  if (isRegistryHost(text)) return text;
  throw new ImageFault("REFERENCE_INVALID", `"${text.slice(0, 160)}" is no registry host: write host or host:port`);
}

/** @throws ImageFault REFERENCE_INVALID */
export function repositoryName(text: string): RepositoryName {
  if (isRepositoryName(text)) return text;
  throw new ImageFault(
    "REFERENCE_INVALID",
    `"${text.slice(0, 160)}" is no repository name: lower-case letters and digits, separated by one of . _ __ - or /`,
  );
}

/** @throws ImageFault REFERENCE_INVALID */
export function imageTag(text: string): ImageTag {
  if (isImageTag(text)) return text;
  throw new ImageFault(
    "REFERENCE_INVALID",
    `"${text.slice(0, 160)}" is no tag: letters, digits, . _ -, at most 128, not starting with . or -`,
  );
}

/**
 * Reads `[host[:port]/]path[:tag][@digest]`. A name whose first component has no `.`, no `:`, no upper case and is not
 * `localhost` has no host, and belongs to `defaultRegistry`. Neither tag nor digest means the tag `latest`.
 * Grammar of github.com/distribution/reference.
 *
 * @throws ImageFault REFERENCE_INVALID
 */
export function parseReference(text: string, options: { readonly defaultRegistry: string }): ImageReference {
  const refuse = (problem: string): ImageFault =>
    new ImageFault("REFERENCE_INVALID", `"${text.slice(0, 200)}" is no image reference: ${problem}`);
  if (text === "") throw refuse("it is empty; write name, name:tag or registry/name:tag");
  if (text.length > referenceLengthMax) throw refuse(`it is longer than ${referenceLengthMax} characters`);
  const { named, digestText } = cutDigest(text);
  if (digestText !== undefined && !isDigest(digestText)) {
    throw refuse("what follows @ must be sha256: and 64 lower-case hex digits, or sha512: and 128");
  }
  const { name, tagText } = cutTag(named);
  if (tagText !== undefined && !isImageTag(tagText)) {
    throw refuse(
      `"${tagText.slice(0, 140)}" is no tag (letters, digits, . _ -, at most 128, not starting with . or -)`,
    );
  }
  const { host, path } = cutHost(name, options.defaultRegistry);
  if (!isRegistryHost(host)) throw refuse(`"${host}" is no registry host`);
  const repository = host === dockerHub.name && !path.includes("/") && path !== "" ? `library/${path}` : path;
  if (/[A-Z]/.test(repository)) throw refuse("the name must be lower case");
  if (!isRepositoryName(repository)) {
    throw refuse(
      `"${path.slice(0, 140)}" is no name (lower-case letters and digits, separated by one of . _ __ - or /)`,
    );
  }
  const tag = tagText ?? (digestText === undefined ? "latest" : undefined);
  return {
    registry: host,
    repository,
    ...(tag === undefined ? {} : { tag: imageTag(tag) }),
    ...(digestText === undefined ? {} : { digest: digestText }),
  };
}

function cutDigest(text: string): { named: string; digestText: string | undefined } {
  const at = text.indexOf("@");
  return at < 0 ? { named: text, digestText: undefined } : { named: text.slice(0, at), digestText: text.slice(at + 1) };
}

function cutTag(named: string): { name: string; tagText: string | undefined } {
  // A colon before the last slash belongs to the host's port.
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  return colon < 0
    ? { name: named, tagText: undefined }
    : { name: named.slice(0, colon), tagText: named.slice(colon + 1) };
}

function cutHost(name: string, defaultRegistry: string): { host: string; path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = slash > 0 && (/[.:A-Z]/.test(first) || first === "localhost");
  const host = isHost ? first : defaultRegistry;
  return { host: host === dockerHub.alias ? dockerHub.name : host, path: isHost ? name.slice(slash + 1) : name };
}

/** `registry/repository[:tag][@digest]`: what `parseReference` reads back as the same, whatever its default registry. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}

/** The same repository at one digest, which cannot move: `registry/repository@sha256:…`. */
export function pinned(reference: ImageReference, digest: Digest): ImageReference & { readonly digest: Digest } {
  return { registry: reference.registry, repository: reference.repository, digest };
}

/** The same repository under another tag. @throws ImageFault REFERENCE_INVALID */
export function retagged(reference: ImageReference, tag: string): ImageReference & { readonly tag: ImageTag } {
  return { registry: reference.registry, repository: reference.repository, tag: imageTag(tag) };
}

/** The extra tag that points straight at the Wasm manifest, for tools that cannot read an index: `1.2.3-wasm`. */
export const wasmTag = (tag: ImageTag): ImageTag => imageTag(`${tag}-wasm`);

/** Distribution specification, "Referrers Tag Schema": where the list is in a registry that keeps none itself. */
export const referrersTag = (subject: Digest): string => subject.replace(":", "-").slice(0, 128);

/** Where cosign looks for the signatures of an image. */
export const signatureTag = (subject: Digest): ImageTag => imageTag(`${subject.replace(":", "-").slice(0, 124)}.sig`);

/** Whether the host is this machine by name or address; for such a registry plain HTTP is allowed. */
export function isLoopbackHost(host: string): boolean {
  const name = host.startsWith("[") ? host.slice(0, host.indexOf("]") + 1) : host.replace(/:\d+$/, "");
  return /^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[(0*:)*:?0*1\])$/i.test(name);
}

/** Where the API of a registry host is, without `/v2/`. */
export function registryUrl(host: RegistryHost): { readonly url: string; readonly plainHttpAllowed: boolean } {
  if (host === dockerHub.name) return { url: `https://${dockerHub.api}`, plainHttpAllowed: false };
  const loopback = isLoopbackHost(host);
  return { url: `${loopback ? "http" : "https"}://${host}`, plainHttpAllowed: loopback };
}
