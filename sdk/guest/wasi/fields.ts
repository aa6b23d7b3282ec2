import type { Fields } from "wazi:http/types@0.2.10";
import { textType } from "../web/body.ts";
import { Headers } from "../web/headers.ts";
import type { Response } from "../web/response.ts";
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

type FieldList = readonly (readonly [string, Uint8Array])[];

const ofType = (type: string): FieldList => [["content-type", bytesOf(type)]];
/** Made when the component is built. */
const ofText = ofType(textType);

/** Those of an answer. */
export function fieldsOf(response: Response): FieldList {
  const { onlyType } = response;
  if (onlyType === textType) return ofText;
  return onlyType === undefined ? listOf(response.headers) : ofType(onlyType);
}

export function listOf(headers: Headers): FieldList {
  const list: (readonly [string, Uint8Array])[] = [];
  for (const [name, value] of headers.list()) {
    if (!connectionHeaders.has(name)) list.push([name, bytesOf(value)]);
  }
  return list;
}
