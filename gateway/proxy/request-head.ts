import { METHODS } from "node:http";
import { GatewayFault } from "./fault-status.ts";
import type { ClientClaims } from "./trusted-proxies.ts";

/** A client's headers, checked and sorted out. */
export interface ClientHeaders {
  /** What goes on to the guest; flat, names in lower case. */
  readonly headers: string[];
  /** Value of Host; undefined when there is none. */
  readonly host: string | undefined;
  /** Bytes of the body, when they are known. */
  readonly contentLength: number | undefined;
  readonly chunked: boolean;
  /** The client asks to speak WebSocket on this connection. */
  readonly isUpgrade: boolean;
  /** The client asks for `Server-Timing`: `x-shallop-timing: 1`. */
  readonly timing: boolean;
  /** What it says of who the client is. */
  readonly claims: ClientClaims;
}

/** Hop-by-hop (RFC 9110, 7.6.1, and the older ones that are still met), and what the gateway says itself. */
const dropped: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "expect",
  "host",
  "forwarded",
  "x-request-id",
  "x-real-ip",
]);

/** Whether a field of a client, by its name in lower case, goes on to the guest. */
export const passesOn = (name: string): boolean => !dropped.has(name) && !isInternal(name) && !name.includes("_");

/** Prefixes of names that only the gateway may say to a guest, in its own words where a proxy that it trusts has said them. */
const isInternal = (name: string): boolean =>
  name.startsWith("x-forwarded-") || name.startsWith("x-shallop-") || name.startsWith("k-");

/**
 * Goes once through what the client sent. Node's parser has refused what is no header; this refuses what could mean
 * two things: a second Host or Content-Length, any coding but chunked, or both lengths (RFC 9112, 3.2 and 6.3).
 * Names with an underscore are left out, for CGI-like guests read them as dashes.
 * @throws GatewayFault BAD_REQUEST, HEADERS_TOO_LARGE, NOT_SUPPORTED
 */
export function readClientHeaders(raw: readonly string[], headerCountMax: number): ClientHeaders {
  if (raw.length > headerCountMax * 2) {
    throw new GatewayFault("HEADERS_TOO_LARGE", `The request has more than ${headerCountMax} headers.`);
  }
  const reading = new HeaderReading();
  for (let index = 0; index < raw.length; index += 2) {
    reading.add((raw[index] ?? "").toLowerCase(), raw[index + 1] ?? "");
  }
  return reading.finish();
}

class HeaderReading {
  readonly headers: string[] = [];
  host: string | undefined;
  contentLength: number | undefined;
  chunked = false;
  readonly isUpgrade = false;
  timing = false;
  readonly #claims: { address: string | undefined; scheme: string | undefined } = {
    address: undefined,
    scheme: undefined,
  };
  #connection = "";

  add(name: string, value: string): void {
    switch (name) {
      case "host":
        if (this.host !== undefined) throw new GatewayFault("BAD_REQUEST", "The request has more than one Host.");
        this.host = value;
        return;
      case "content-length":
        this.#addContentLength(value);
        break;
      case "transfer-encoding":
        if (this.chunked || value.toLowerCase() !== "chunked")
          throw new GatewayFault("NOT_SUPPORTED", "The only transfer coding that this gateway takes is chunked.");
        this.chunked = true;
        return;
      case "connection":
        this.#connection += `,${value}`;
        return;
      case "x-shallop-timing":
        this.timing = value === "1";
        return;
      case "x-forwarded-for":
        this.#claims.address = joined(this.#claims.address, value);
        return;
      case "x-forwarded-proto":
        this.#claims.scheme = joined(this.#claims.scheme, value);
        return;
      default:
        if (!passesOn(name)) return;
    }
    this.headers.push(name, value);
  }

  #addContentLength(value: string): void {
    const bytes = Number(value);
    if (this.contentLength !== undefined || !/^[0-9]{1,15}$/.test(value))
      throw new GatewayFault("BAD_REQUEST", "The length of the body is not clear.");
    this.contentLength = bytes;
  }

  finish(): ClientHeaders {
    if (this.chunked && this.contentLength !== undefined)
      throw new GatewayFault("BAD_REQUEST", "The length of the body is given in two ways.");
    const { host, contentLength, chunked, isUpgrade, timing } = this;
    const headers = withoutNamed(this.headers, this.#connection.slice(1).toLowerCase());
    return { headers, host, contentLength, chunked, isUpgrade, timing, claims: this.#claims };
  }
}

/** One list, as RFC 9110, 5.3 has it. */
const joined = (before: string | undefined, value: string): string =>
  before === undefined ? value : `${before},${value}`;

/**
 * Without those that `Connection` names, as they are for this hop only (RFC 9110, 7.6.1). `connection`: its value in lower case. The
 * length stays: it is the gateway's own business, and to leave it out would change where the body ends.
 */
export function withoutNamed(headers: string[], connection: string): string[] {
  // Nearly always one of the two words that name no header.
  if (connection === "" || connection === "keep-alive" || connection === "close") return headers;
  const named = new Set(connection.split(",").map((option) => option.trim()));
  named.delete("content-length");
  return headers.filter((_item, index) => !named.has(headers[index - (index % 2)] ?? ""));
}

/** Who the client is, as far as the gateway can tell; the same for all requests of a connection that is no trusted proxy's. */
export interface ClientAddress {
  /** Plain address, a v4 one in a v6 socket as v4. */
  readonly address: string;
  /** `for=` parameter of Forwarded (RFC 7239, 6). */
  readonly forwardedFor: string;
  /** The client and the proxies after it, all of whom are known, as X-Forwarded-For has them; undefined: it is alone. */
  readonly way?: string;
}

export function clientAddress(remoteAddress: string | undefined): ClientAddress {
  const address = (remoteAddress ?? "unknown").replace(/^::ffff:/, "");
  return { address, forwardedFor: address.includes(":") ? `for="[${address}]"` : `for=${address}` };
}

/** Adds what the gateway itself says of the request. `authority` has been checked, so it needs no escapes. */
export function addForwarded(
  headers: string[],
  client: ClientAddress,
  request: { readonly authority: string; readonly requestId: string; readonly scheme: "http" | "https" },
): void {
  const { authority, requestId, scheme } = request;
  headers.push(
    "x-forwarded-for",
    client.way ?? client.address,
    "x-forwarded-proto",
    scheme,
    "x-forwarded-host",
    authority,
    "forwarded",
    `${client.forwardedFor};host="${authority}";proto=${scheme}`,
    "x-request-id",
    requestId,
  );
}

// Safe to repeat when nobody knows whether it was begun (RFC 9110, 9.2.2).
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);

/**
 * Those that Node knows, in whatever HTTP. A word that is none may be the rest of what another parser has taken for a body,
 * and servers behind the gateway refuse it.
 */
const methods: ReadonlySet<string> = new Set(METHODS);

export const isKnownMethod = (method: string): boolean => methods.has(method);

export const isIdempotent = (method: string): boolean => idempotentMethods.has(method);
