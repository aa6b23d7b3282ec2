import type { IncomingMessage, ServerResponse } from "node:http";
import { type Digest, type ImageTag, isDigest, isImageTag, type RepositoryName } from "@shallop/sdk/image";
import type { Principal } from "./access.ts";
import { RegistryFault } from "./fault.ts";

/** One request, on its way to an answer. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly principal: Principal;
}

/** Entries of a page when the client does not say, and at most. */
const pageDefault = 1_000;
const pageMax = 10_000;

export function answer(call: Call, status: number): void {
  call.request.resume();
  call.response.writeHead(status, status === 204 ? {} : { "Content-Length": 0 });
  call.response.end();
}

export function sendJson(call: Call, document: unknown, type = "application/json"): void {
  const body = JSON.stringify(document);
  call.response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  call.response.end(call.request.method === "HEAD" ? undefined : body);
}

export interface Progress {
  readonly name: RepositoryName;
  readonly id: string;
  readonly received: number;
}

export function answerProgress(call: Call, status: number, progress: Progress): void {
  setProgress(call.response, progress);
  answer(call, status);
}

export function setProgress(response: ServerResponse, { name, id, received }: Progress): void {
  response.setHeader("Location", `/v2/${name}/blobs/uploads/${id}`);
  response.setHeader("Range", `0-${Math.max(0, received - 1)}`);
  response.setHeader("Docker-Upload-UUID", id);
}

export function answerStored(call: Call, name: RepositoryName, digest: Digest): void {
  call.response.setHeader("Location", `/v2/${name}/blobs/${digest}`);
  call.response.setHeader("Docker-Content-Digest", digest);
  answer(call, 201);
}

/** @throws RegistryFault DIGEST_INVALID */
export function digestIn(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegistryFault("DIGEST_INVALID", `"${text.slice(0, 140)}" is no sha256 or sha512 digest`);
}

/** @throws RegistryFault TAG_INVALID */
export function tagIn(text: string): ImageTag {
  if (isImageTag(text)) return text;
  throw new RegistryFault("TAG_INVALID", `"${text.slice(0, 140)}" is no tag`);
}

export const optionalDigestIn = (text: string | null): Digest | undefined =>
  text === null ? undefined : digestIn(text);

/** Left open when it is not read to its end: the connection is needed for saying why. */
export const bodyOf = (request: IncomingMessage): AsyncIterable<Buffer> => request.iterator({ destroyOnReturn: false });

/** How many entries a page has. @throws RegistryFault SIZE_INVALID of what is no number, or a negative one */
export function pageCount(query: URLSearchParams): number {
  const asked = query.get("n") ?? "";
  if (asked === "") return pageDefault;
  if (/^\d{1,20}$/.test(asked)) return Math.min(Number(asked), pageMax);
  throw new RegistryFault("SIZE_INVALID", `n is ${JSON.stringify(asked.slice(0, 40))}, and no number of entries`);
}

/** The items after `last`, at most `n`. `last` of the page is set when there are more. */
export function pageOf<Item extends string>(
  items: readonly Item[],
  query: URLSearchParams,
): { readonly items: readonly Item[]; readonly last?: Item } {
  const count = pageCount(query);
  const after = query.get("last");
  const rest = after === null ? items : items.filter((item) => item > after);
  const page = rest.slice(0, count);
  const last = page.at(-1);
  return rest.length > count && last !== undefined ? { items: page, last } : { items: page };
}

/** Where the page after `last` is. Distribution specification, "Listing Tags". */
export function linkNext(call: Call, path: string, last: string): void {
  const next = new URLSearchParams(call.query);
  next.set("n", String(pageCount(call.query)));
  next.set("last", last);
  call.response.setHeader("Link", `<${path}?${next.toString()}>; rel="next"`);
}
