import type { Fields } from "wazi:http/types@0.2.10";
import { Headers } from "../web/headers.ts";
import { TextDecoder, TextEncoder } from "../web/text-encoding.ts";

// Header values are bytes on the wire; the Fetch standard shows them to JavaScript as isomorphic strings. What servers
// and clients send today is ASCII or UTF-8, and UTF-8 is what people expect to read.
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function headersOf(fields: Fields): Headers {
  const headers = new Headers();
  for (const [name, value] of fields.entries()) headers.append(name, decoder.decode(value));
  return headers;
}

/**
 * Headers of one connection, not of a message (RFC 9110, 7.6.1). WASI refuses them; a function that passes the headers of
 * a request or an answer on does not mean them.
 */
const connectionHeaders = new Set([
  "connection",
  "host",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

export function listOf(headers: Headers): (readonly [string, Uint8Array])[] {
  const list: (readonly [string, Uint8Array])[] = [];
  for (const [name, value] of headers) {
    if (!connectionHeaders.has(name)) list.push([name, encoder.encode(value)]);
  }
  return list;
}
