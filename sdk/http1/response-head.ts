import { bodyFraming, type FieldRules, isPersistent, type MessageProblem, readFields } from "./fields.ts";

/** An answer's head, its framing understood in the only way that there is (RFC 9112, 4 and 6). */
export interface ParsedResponse {
  readonly status: number;
  /** Flat, names in lower case; without what is said below. */
  readonly headers: string[];
  /** Options of `Connection`, in lower case; empty when there are none. */
  readonly connection: string;
  readonly upgrade: string | undefined;
  /** Of the body; `to-end` when only the end of the connection ends it. */
  readonly bodyBytes: number | "chunked" | "to-end";
  /** The server takes another request on the connection. */
  readonly isPersistent: boolean;
}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;

/** `text`: a head in latin1, with the empty line that ends it; its size is the caller's to bound. `method`: of the request. */
export function parseResponse(text: string, method: string, rules: FieldRules): ParsedResponse | MessageProblem {
  const lineEnd = text.indexOf("\r\n");
  const line = statusLine.exec(text.slice(0, lineEnd));
  if (line === null) return "MALFORMED";
  const fields = readFields(text.slice(lineEnd + 2, -2), rules, false);
  if (typeof fields === "string") return fields;
  const [, minor, code] = line;
  const isOld = minor === "0";
  const status = Number(code);
  const framing = bodyFraming(fields, isOld);
  if (framing === "MALFORMED" || framing === "CODING_UNKNOWN" || framing === "HEAD_TOO_LARGE") return framing;
  const bodyBytes = hasNoBody(status, method) ? 0 : (framing ?? "to-end");
  return {
    status,
    headers: fields.kept,
    connection: fields.connection,
    upgrade: fields.upgrade,
    bodyBytes,
    isPersistent: bodyBytes !== "to-end" && isPersistent(fields, isOld),
  };
}

/** RFC 9112, 6.3. */
const hasNoBody = (status: number, method: string): boolean =>
  status === 204 || status === 304 || status < 200 || method === "HEAD";
