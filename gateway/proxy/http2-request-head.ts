import { normalizeHost } from "../route/host.ts";
import { GatewayFault } from "./fault-status.ts";
import { type ClientHeaders, readClientHeaders } from "./request-head.ts";
import { readRequestTarget, type RequestTarget } from "./request-target.ts";

export interface Http2Head {
  readonly headers: ClientHeaders;
  readonly target: RequestTarget;
}

/** RFC 9113, 6.5.2: what a field is reckoned to cost beside its bytes. */
export const fieldOverheadBytes = 32;

interface Http2HeadOptions {
  /** The request has no body. */
  readonly isAll: boolean;
  readonly limits: { readonly headerCountMax: number; readonly headerBytesMax: number };
  /** `Sec-WebSocket-Key` for what is behind the gateway, of a request to speak WebSocket (RFC 8441). */
  readonly webSocketKey?: string | undefined;
}

/**
 * A request's head as HTTP/2 has it (RFC 9113, 8.3.1), turned into what it would be in HTTP/1.1. nghttp2 has refused what
 * the specification calls malformed: pseudo-headers twice or late, names in capitals, hop-by-hop headers.
 * @throws GatewayFault BAD_REQUEST, HEADERS_TOO_LARGE, WEBSOCKET_VERSION
 */
export function readHttp2Head(raw: readonly string[], options: Http2HeadOptions): Http2Head {
  const { isAll, limits, webSocketKey } = options;
  let byteCount = 0;
  const pseudo = new Map<string, string>();
  const flat: string[] = [];
  const cookies: string[] = [];
  let host: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const value = raw[index + 1] ?? "";
    byteCount += name.length + value.length + fieldOverheadBytes;
    if (name.startsWith(":")) pseudo.set(name, value);
    else if (name === "cookie") cookies.push(value);
    else if (name === "host") host = value;
    else if (name === "sec-websocket-key") continue;
    else flat.push(name, value);
  }
  if (byteCount > limits.headerBytesMax) throw new GatewayFault("HEADERS_TOO_LARGE", "");
  // RFC 9113, 8.2.3: crumbs are one header again where HTTP/2 ends.
  if (cookies.length > 0) flat.push("cookie", cookies.join("; "));
  flat.push("host", oneHost(pseudo.get(":authority"), host));
  const headers = readClientHeaders(flat, limits.headerCountMax);
  const target = readRequestTarget(
    { method: pseudo.get(":method") ?? "", url: pseudo.get(":path") ?? "" },
    headers.host,
  );
  if (webSocketKey !== undefined) return { headers: upgrading(headers, webSocketKey), target };
  return { headers: { ...headers, chunked: !isAll && headers.contentLength === undefined }, target };
}

/** As the handshake is in HTTP/1.1 (RFC 8441, 5). @throws GatewayFault */
function upgrading(headers: ClientHeaders, key: string): ClientHeaders {
  const version = headers.headers.indexOf("sec-websocket-version");
  if (headers.headers[version + 1] !== "13" || version % 2 !== 0)
    throw new GatewayFault("WEBSOCKET_VERSION", "", { headers: ["sec-websocket-version", "13"] });
  return { ...headers, headers: [...headers.headers, "sec-websocket-key", key], chunked: false, isUpgrade: true };
}

/** Two hosts in one request are refused rather than chosen from. */
function oneHost(authority: string | undefined, host: string | undefined): string {
  const named = authority ?? host;
  if (named === undefined) throw new GatewayFault("BAD_REQUEST", "The request has no Host.");
  if (authority !== undefined && host !== undefined && normalizeHost(authority) !== normalizeHost(host)) {
    throw new GatewayFault("BAD_REQUEST", "The authority of the request and its Host are two hosts.");
  }
  return named;
}
