import type { Fields } from "wazi:http/types@0.2.10";
import { Headers } from "../web/headers.ts";
import { bytesOf } from "../web/utf8.ts";

/** @param fields asked for when a header is */
export function headersOf(fields: () => Fields): Headers {
  return Headers.received(() => {
    const resource = fields();
    const entries = resource.entries();
    resource[Symbol.dispose]();
    return entries;
  });
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
  for (const [name, value] of headers.list()) {
    if (!connectionHeaders.has(name)) list.push([name, bytesOf(value)]);
  }
  return list;
}
