import { type Clock, errorCode } from "@shallop/sdk/internal";
import type { CredentialSource, Credentials } from "./docker-credentials.ts";
import { ImageFault } from "./fault.ts";
import {
  bodyBytes,
  checkOnward,
  errorText,
  type ExchangeRequest,
  type HttpExchange,
  parseUrl,
} from "./http-exchange.ts";
import { isObject } from "./json-fields.ts";

/** What a request wants to do: `repository:library/alpine:pull`. Several are separated by a space. */
export type AuthScope = string;

export interface Challenge {
  readonly scheme: "bearer" | "basic";
  readonly parameters: Readonly<Record<string, string>>;
}

/** Distribution, "Token Authentication": a token without `expires_in` lives 60 s. */
const tokenLifetimeMsDefault = 60_000;
/** Asked for again this long before the end, so that it does not end on the way. */
const tokenMarginMs = 10_000;
/** Tokens are a few kilobytes; some carry long lists of grants. */
const tokenBytesMax = 256 * 1024;
/** One process talks to few registries and repositories at once; what is over is asked for again. */
const cachedMax = 256;

interface Cached {
  readonly header: string;
  readonly untilMs: number;
}

/** Who we are, to each registry: finds credentials, exchanges them for tokens, keeps those until they end. */
export class RegistryAuth {
  readonly #exchange: HttpExchange;
  readonly #source: CredentialSource;
  readonly #clock: Clock;
  readonly #cache = new Map<string, Cached>();

  constructor(exchange: HttpExchange, source: CredentialSource, clock: Clock) {
    this.#exchange = exchange;
    this.#source = source;
    this.#clock = clock;
  }

  /** The Authorization header that answered this scope's challenge before, if it is still good. */
  cached(host: string, scope: AuthScope): string | undefined {
    const entry = this.#cache.get(`${host} ${scope}`) ?? this.#cache.get(`${host} *`);
    return entry === undefined || entry.untilMs <= this.#clock.nowMs() ? undefined : entry.header;
  }

  forget(host: string, scope: AuthScope): void {
    this.#cache.delete(`${host} ${scope}`);
    this.#cache.delete(`${host} *`);
  }

  /**
   * Answers a challenge of the registry.
   *
   * @param from the URL that answered 401
   * @throws ImageFault UNAUTHORIZED | CREDENTIALS_INVALID | REGISTRY_INVALID
   */
  async answer(
    from: { readonly host: string; readonly url: URL; readonly authority?: string | undefined },
    challengeHeader: string,
    scope: AuthScope,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const challenge = parseChallenge(challengeHeader);
    if (challenge === undefined) {
      throw new ImageFault("UNAUTHORIZED", `${from.host} asks for a login of a kind that is not known`);
    }
    const credentials = await this.#source.credentials(from.host);
    if (challenge.scheme === "basic") {
      if (credentials?.kind !== "basic") throw loginMissing(from.host, credentials);
      return this.#keep(`${from.host} *`, basic(credentials), Number.POSITIVE_INFINITY);
    }
    const realm = parseUrl(challenge.parameters["realm"] ?? "", from.url);
    checkOnward(from.url, realm, "sends for a token");
    const request = tokenRequest(realm, { challenge, scope, credentials });
    const authority = realm.host === from.url.host ? from.authority : undefined;
    const token = await this.#token(
      { ...request, ...(authority === undefined ? {} : { authority }), signal },
      from.host,
    );
    return this.#keep(`${from.host} ${scope}`, `Bearer ${token.value}`, this.#clock.nowMs() + token.lifetimeMs);
  }

  #keep(key: string, header: string, untilMs: number): string {
    if (this.#cache.size >= cachedMax) this.#cache.clear();
    this.#cache.set(key, { header, untilMs });
    return header;
  }

  async #token(request: ExchangeRequest, host: string): Promise<{ value: string; lifetimeMs: number }> {
    const response = await this.#exchange.send(request).catch((error: unknown) => {
      if (error instanceof ImageFault || errorCode(error) === "ABORT_ERR") throw error;
      const text = `the token server ${request.url.host} of ${host} cannot be reached`;
      throw new ImageFault("REGISTRY_UNREACHABLE", text, { cause: error, retryable: true });
    });
    if (response.status !== 200) {
      const code = response.status === 401 || response.status === 403 ? "UNAUTHORIZED" : "REGISTRY_INVALID";
      const text = await errorText(response);
      throw new ImageFault(code, `the token server ${request.url.host} of ${host} gives no token: ${text}`);
    }
    const text = new TextDecoder().decode(await bodyBytes(response, tokenBytesMax, "the token"));
    return parseToken(text, request.url.host);
  }
}

function parseToken(text: string, host: string): { value: string; lifetimeMs: number } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const object = isObject(json) ? json : {};
  const value = object["token"] ?? object["access_token"];
  // RFC 6750, "b64token", and what a header may hold.
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) {
    throw new ImageFault("REGISTRY_INVALID", `the token server ${host} answered without a token`);
  }
  const seconds = object["expires_in"];
  const givenMs = typeof seconds === "number" && seconds > 0 ? seconds * 1000 : tokenLifetimeMsDefault;
  return { value, lifetimeMs: Math.max(0, givenMs - tokenMarginMs) };
}

function tokenRequest(
  realm: URL,
  asked: {
    readonly challenge: Challenge;
    readonly scope: AuthScope;
    readonly credentials: Credentials | undefined;
  },
): ExchangeRequest {
  const service = asked.challenge.parameters["service"];
  // The registry knows best what it wants; we add what we know we need.
  const wanted = `${asked.challenge.parameters["scope"] ?? ""} ${asked.scope}`.split(" ").filter((one) => one !== "");
  const scopes = [...new Set(wanted)];
  if (asked.credentials?.kind === "identity-token") {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "shallop",
      refresh_token: asked.credentials.token,
      scope: scopes.join(" "),
      ...(service === undefined ? {} : { service }),
    });
    const bytes = new TextEncoder().encode(form.toString());
    const body = { size: bytes.length, open: (): AsyncIterable<Uint8Array> => oneChunk(bytes) };
    return { method: "POST", url: realm, headers: { "content-type": "application/x-www-form-urlencoded" }, body };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers = asked.credentials === undefined ? {} : { authorization: basic(asked.credentials) };
  return { method: "GET", url, headers };
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

const basic = (credentials: { readonly username: string; readonly password: string }): string =>
  `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`;

function loginMissing(host: string, credentials: Credentials | undefined): ImageFault {
  const has = credentials === undefined ? "no login is known" : "only an identity token is known, a password is needed";
  return new ImageFault("UNAUTHORIZED", `${host} wants a login, and ${has}; run docker login ${host}`);
}

/**
 * Reads `WWW-Authenticate` (RFC 9110, 11.6.1): a list of challenges, of which Bearer is preferred to Basic.
 */
export function parseChallenge(header: string): Challenge | undefined {
  // Real ones have 300 characters.
  if (header.length > 8_192) return undefined;
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  for (const [, scheme, name, quoted, bare] of header.matchAll(
    /(?:^|[\s,])([A-Za-z][A-Za-z0-9-]*)(?=\s+[A-Za-z]|\s*$|\s*,)|([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g,
  )) {
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: {} });
    const current = challenges.at(-1);
    if (name === undefined || current === undefined) continue;
    const value = quoted === undefined ? (bare ?? "") : quoted.replace(/\\(.)/g, "$1");
    Object.defineProperty(current.parameters, name.toLowerCase(), { value, enumerable: true, configurable: true });
  }
  for (const scheme of ["bearer", "basic"] as const) {
    const found = challenges.find((one) => one.scheme === scheme);
    if (found !== undefined && (scheme === "basic" || found.parameters["realm"] !== undefined)) {
      return { scheme, parameters: found.parameters };
    }
  }
  return undefined;
}
