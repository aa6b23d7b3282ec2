import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Clock, describeError } from "@shallop/sdk/internal";
import { collectBytes } from "./content-store.ts";
import { ImageFault } from "./fault.ts";
import { isLoopbackHost } from "./reference.ts";

/** A body that can be sent again when the first try breaks. */
export interface RequestBody {
  readonly size: number;
  open(): AsyncIterable<Uint8Array>;
}

export interface ExchangeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** PEM of the authority that signed the server's certificate; the system's ones otherwise. */
  readonly authority?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface ExchangeResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
  /** Must be read or destroyed. */
  readonly body: IncomingMessage;
}

/** A registry that says nothing for this long is gone. Docker Hub's blob store has been seen to take 15 s. */
const idleTimeoutMs = 30_000;
/** Registries redirect once, to their blob store; three hops is what crane was seen to need. */
const redirectsMax = 5;
/** Enough to fetch the layers of an image at once, few enough not to be taken for an attack. */
const socketsMax = 8;
/** A stream must bring `paceBytesMin` in each window: who drips a byte a second would hold a pull for ever. */
const paceWindowMs = 60_000;
const paceBytesMin = 64 * 1024;

/** Connections to registries: one request with its redirects, no retries. Closes its idle connections when disposed. */
export class HttpExchange {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: socketsMax });
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: socketsMax });

  /**
   * Sends a request and follows redirects of GET and HEAD. Credentials go only to the host that they were made for.
   * Resolves when the header of the answer is there.
   *
   * @throws ImageFault REGISTRY_INVALID when a redirect is not acceptable; errors of the network as they are
   */
  async send(request: ExchangeRequest): Promise<ExchangeResponse> {
    let current = request;
    for (let hop = 0; ; hop++) {
      const response = await this.#once(current);
      const location = response.headers.location;
      const moved = [301, 302, 303, 307, 308].includes(response.status);
      if (!moved || location === undefined || (request.method !== "GET" && request.method !== "HEAD")) return response;
      response.body.destroy();
      if (hop >= redirectsMax) {
        throw new ImageFault("REGISTRY_INVALID", `${request.url.host} redirects more than ${redirectsMax} times`);
      }
      const url = parseUrl(location, current.url);
      checkOnward(current.url, url, "redirects");
      const headers = url.host === current.url.host ? current.headers : withoutCredentials(current.headers);
      current = { ...current, url, headers };
    }
  }

  #once(request: ExchangeRequest): Promise<ExchangeResponse> {
    const { url, method, body, signal } = request;
    const secure = url.protocol === "https:";
    const headers = {
      "user-agent": "shallop",
      ...request.headers,
      ...(body === undefined ? {} : { "content-length": String(body.size) }),
    };
    const options = {
      method,
      headers,
      agent: secure ? this.#https : this.#http,
      ...(request.authority === undefined ? {} : { ca: request.authority }),
      ...(signal === undefined ? {} : { signal }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = (secure ? httpsRequest : httpRequest)(url, options, (incoming) => {
        // The other side may answer before it has the whole body, and then close: that answer counts.
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, url, body: incoming });
      });
      outgoing.setTimeout(idleTimeoutMs, () =>
        outgoing.destroy(new Error(`${url.host} has said nothing for ${idleTimeoutMs / 1000} s`)),
      );
      outgoing.on("error", reject);
      if (body === undefined) outgoing.end();
      else pipeline(Readable.from(body.open()), outgoing).catch(reject);
    });
  }

  [Symbol.dispose](): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** @throws ImageFault REGISTRY_INVALID */
export function parseUrl(text: string, base: URL): URL {
  const url = URL.parse(text, base.href);
  if (url !== null && (url.protocol === "https:" || url.protocol === "http:")) return url;
  throw new ImageFault("REGISTRY_INVALID", `${base.host} names a place that is no URL: "${text.slice(0, 200)}"`);
}

/**
 * Whether a server may send us on to `to`. Never from HTTPS to plain HTTP, never from the outside to an address of this
 * machine, of the local link or of a private network (server-side request forgery), and credentials in the URL are none
 * of ours.
 *
 * @throws ImageFault REGISTRY_INVALID
 */
export function checkOnward(from: URL, to: URL, verb: string): void {
  const refuse = (why: string): ImageFault =>
    new ImageFault("REGISTRY_INVALID", `${from.host} ${verb} to ${to.host}, which is refused: ${why}`);
  if (from.protocol === "https:" && to.protocol !== "https:") throw refuse("it would leave HTTPS");
  if (to.username !== "" || to.password !== "") throw refuse("the URL carries credentials");
  if (from.host === to.host) return;
  if (isLinkLocal(to.hostname)) throw refuse("it is a link-local address");
  if (isInside(to.hostname) && !isInside(from.hostname)) throw refuse("it is an address of a private network");
}

const isLinkLocal = (hostname: string): boolean => /^(169\.254\.|0\.|\[fe[89ab])/i.test(hostname);

/** Whether a host, as the URL parser writes it, is this machine or in a private network. Names are taken as outside. */
function isInside(hostname: string): boolean {
  if (isLoopbackHost(hostname) || isLinkLocal(hostname)) return true;
  const address = hostname.replace(/^\[|\]$/g, "");
  if (isIP(address) === 4) {
    return /^(10|127)\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\.|^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(address);
  }
  // Unique local, unspecified, and IPv4 in disguise (mapped, 6to4, NAT64): no public registry is reached by those.
  return isIP(address) === 6 && /^(f[cd]|::|2002:|64:ff9b:)/i.test(address);
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization"));
}

/** The body, as long as it keeps a minimal pace. */
export async function* pacedBody(
  response: ExchangeResponse,
  clock: Clock,
): AsyncGenerator<Uint8Array, void, undefined> {
  let windowStartMs = clock.nowMs();
  let windowBytes = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    windowBytes += chunk.length;
    yield chunk;
    const nowMs = clock.nowMs();
    if (nowMs - windowStartMs < paceWindowMs) continue;
    if (windowBytes < paceBytesMin) {
      throw new Error(`${response.url.host} sent only ${windowBytes} bytes in ${paceWindowMs / 1000} s`);
    }
    windowStartMs = nowMs;
    windowBytes = 0;
  }
}

/** @throws ImageFault TOO_LARGE */
export async function bodyBytes(response: ExchangeResponse, bytesMax: number, what: string): Promise<Uint8Array> {
  const promised = Number(response.headers["content-length"] ?? 0);
  if (promised > bytesMax) {
    response.body.destroy();
    throw new ImageFault("TOO_LARGE", `${what} has ${promised} bytes, at most ${bytesMax} are read`);
  }
  return collectBytes(response.body as AsyncIterable<Uint8Array>, bytesMax, what);
}

/** What an error answer says, for a person: codes and messages of the distribution specification, or the first words. */
export async function errorText(response: ExchangeResponse): Promise<string> {
  const bytes = await bodyBytes(response, 64 * 1024, "the error").catch((error: unknown) =>
    new TextEncoder().encode(describeError(error)),
  );
  const text = new TextDecoder().decode(bytes);
  const messages = registryErrors(text);
  // A hostile server must not paint on the terminal of who reads this.
  const shown = (messages ?? text).replace(/[^\x20-\x7e]+/g, " ").trim();
  return `status ${response.status}${shown === "" ? "" : `, ${shown.slice(0, 300)}`}`;
}

function registryErrors(text: string): string | undefined {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    if (!Array.isArray(errors)) return undefined;
    return (errors as readonly { code?: unknown; message?: unknown }[])
      .slice(0, 3)
      .map((error) => `${String(error.code)}: ${String(error.message)}`)
      .join("; ");
  } catch {
    return undefined;
  }
}
