import { handle } from "wazi:http/outgoing-handler@0.2.10";
import {
  Fields,
  type FutureIncomingResponse,
  type IncomingResponse,
  OutgoingBody,
  OutgoingRequest,
} from "wazi:http/types@0.2.10";
import { Headers } from "../web/headers.ts";
import { Request, type RequestInit } from "../web/request.ts";
import { nullBodyStatuses, Response } from "../web/response.ts";
import { IncomingBytes, writeBody } from "./bodies.ts";
import { headersOf, listOf } from "./fields.ts";
import { ready } from "./loop.ts";
import { payloadOf, tagOf } from "./payload.ts";

/** The Fetch standard's bound on redirects. */
const redirectsMax = 20;

/** `fetch` over `wasi:http/outgoing-handler`. What the node's egress policy refuses rejects with a TypeError. */
export async function fetch(input: Request | string | URL, init?: RequestInit): Promise<Response> {
  let request = new Request(input, init);
  for (let redirects = 0; ; redirects++) {
    const response = await send(request, redirects > 0);
    const next = redirectOf(request, response);
    if (next === undefined) return response;
    if (redirects === redirectsMax) throw new TypeError(`fetch ${request.url}: more than ${redirectsMax} redirects`);
    request = next;
  }
}

function redirectOf(request: Request, response: Response): Request | undefined {
  const location = response.headers.get("location");
  if (![301, 302, 303, 307, 308].includes(response.status) || location === null || request.redirect === "manual")
    return undefined;
  if (request.redirect === "error") throw new TypeError(`fetch ${request.url}: redirected to ${location}`);
  const toGet = response.status === 303 || (response.status < 303 && request.method === "POST");
  if (!toGet && request.hasBody)
    throw new TypeError(`fetch ${request.url}: a body cannot be sent again to ${location}`);
  const url = new URL(location, request.url);
  const headers = new Headers(request.headers);
  // Credentials are for the origin they were given for.
  if (url.origin !== new URL(request.url).origin) for (const name of ["authorization", "cookie"]) headers.delete(name);
  return new Request(url.href, { method: toGet ? "GET" : request.method, headers, signal: request.signal });
}

async function send(request: Request, redirected: boolean): Promise<Response> {
  request.signal.throwIfAborted();
  const url = new URL(request.url);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new TypeError(`fetch ${request.url} failed: only http: and https: can be fetched`);
  const outgoing = new OutgoingRequest(Fields.fromList(listOf(request.headers)));
  outgoing.setMethod(methodOf(request.method));
  outgoing.setScheme({ tag: url.protocol === "https:" ? "HTTPS" : "HTTP" });
  outgoing.setAuthority(url.host);
  outgoing.setPathWithQuery(`${url.pathname}${url.search}`);
  const sent = outgoing.body();
  const future = begin(outgoing, request.url);
  try {
    await writeBody(sent, request);
    OutgoingBody.finish(sent, null);
  } catch (error) {
    // The other side took no more: it was refused, or it has answered already. The outcome says which.
    if (payloadOf(error) === error) throw error;
  }
  const incoming = await settled(future, request);
  const status = incoming.status();
  const headers = headersOf(() => incoming.headers());
  const body = nullBodyStatuses.has(status) ? null : new IncomingBytes(() => incoming.consume());
  return new Response(body, { status, headers, url: request.url, redirected });
}

const knownMethods = new Set(["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"]);

function methodOf(method: string): { readonly tag: string; readonly val?: string } {
  const tag = method.toLowerCase();
  return knownMethods.has(tag) ? { tag } : { tag: "other", val: method };
}

function begin(outgoing: OutgoingRequest, url: string): FutureIncomingResponse {
  try {
    return handle(outgoing, null);
  } catch (error) {
    throw refused(url, error);
  }
}

async function settled(future: FutureIncomingResponse, request: Request): Promise<IncomingResponse> {
  const aborted = new Promise<never>((_, reject) => {
    request.signal.addEventListener("abort", () => reject(request.signal.reason));
  });
  // An abort after the answer is nobody's failure.
  aborted.catch(() => undefined);
  for (;;) {
    const outcome = future.get();
    if (outcome === null) {
      await Promise.race([ready(future.subscribe()), aborted]);
      continue;
    }
    future[Symbol.dispose]();
    const inner = outcome.tag === "ok" ? outcome.val : outcome;
    if (inner.tag === "ok") return inner.val;
    throw refused(request.url, inner.val);
  }
}

function refused(url: string, error: unknown): TypeError {
  const reason = payloadOf(error);
  return new TypeError(`fetch ${url} failed: ${tagOf(reason) ?? String(reason)}`, { cause: error });
}
