import { normalizeHost } from "../route/host.ts";
import { GatewayFault } from "./fault-status.ts";
import { type ClientHeaders, readClientHeaders } from "./request-head.ts";
import { readRequestTarget, type RequestTarget } from "./request-target.ts";

export interface Http2Head {
  readonly headers: ClientHeaders;
  readonly target: RequestTarget;
}

interface Http2HeadOptions {
  /** The request has no body. */
  readonly isAll: boolean;
  readonly headerCountMax: number;
}

/**
 * A request's head as HTTP/2 has it (RFC 9113, 8.3.1), turned into what it would be in HTTP/1.1. nghttp2 has refused what
 * the specification calls malformed: pseudo-headers twice or late, names in capitals, hop-by-hop headers.
 * @throws GatewayFault BAD_REQUEST, HEADERS_TOO_LARGE, NOT_SUPPORTED
 */
export function readHttp2Head(raw: readonly string[], { isAll, headerCountMax }: Http2HeadOptions): Http2Head {
  const pseudo = new Map<string, string>();
  const flat: string[] = [];
  const cookies: string[] = [];
  let host: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const value = raw[index + 1] ?? "";
    if (name.startsWith(":")) pseudo.set(name, value);
    else if (name === "cookie") cookies.push(value);
    else if (name === "host") host = value;
    else flat.push(name, value);
  }
  if (pseudo.has(":protocol"))
    throw new GatewayFault("NOT_SUPPORTED", "This gateway carries WebSockets over HTTP/1.1 only.");
  // RFC 9113, 8.2.3: crumbs are one header again where HTTP/2 ends.
  if (cookies.length > 0) flat.push("cookie", cookies.join("; "));
  flat.push("host", oneHost(pseudo.get(":authority"), host));
  const headers = readClientHeaders(flat, headerCountMax);
  const target = readRequestTarget(pseudo.get(":path") ?? "", headers.host);
  return { headers: { ...headers, chunked: !isAll && headers.contentLength === undefined }, target };
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
