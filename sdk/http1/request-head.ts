import { bodyFraming, type FieldRules, isPersistent, type MessageProblem, readFields, token } from "./fields.ts";

/** What is wrong with a request's head. */
export type RequestHeadProblem = MessageProblem | "VERSION_UNKNOWN" | "METHOD_UNKNOWN";

/** A request's head, its framing understood in the only way that there is (RFC 9112, 2 to 6). */
export interface ParsedRequest {
  readonly method: string;
  /** As it came: visible ASCII without a fragment. */
  readonly target: string;
  /** It is of HTTP/1.0: its client knows neither chunks nor interim answers. */
  readonly isOld: boolean;
  /** Flat, names in lower case; without what is said below. */
  readonly headers: string[];
  readonly fieldCount: number;
  readonly host: string | undefined;
  readonly expect: string | undefined;
  /** Of `Connection`, in lower case; empty when there are none. */
  readonly connection: string;
  readonly upgrade: string | undefined;
  /** Of the body; `chunked` when it says itself where it ends. */
  readonly bodyBytes: number | "chunked";
  /** The client wants to send another request on the connection. */
  readonly isPersistent: boolean;
}

const requestLine = new RegExp(`^(${token}{1,32}) ([\\x21\\x22\\x24-\\x7e]+) HTTP/1\\.([01])$`);

/** `text`: a head in latin1, with the empty line that ends it; its size is the caller's to bound. */
export function parseRequest(text: string, rules: FieldRules): ParsedRequest | RequestHeadProblem {
  const lineEnd = text.indexOf("\r\n");
  const line = requestLine.exec(text.slice(0, lineEnd));
  if (line === null) return badLine(text.slice(0, lineEnd));
  const fields = readFields(text.slice(lineEnd + 2, -2), rules, true);
  if (typeof fields === "string") return fields;
  const [, method = "", target = "", minor] = line;
  // A tunnel is for a proxy (RFC 9110, 9.3.6).
  if (method === "CONNECT") return "METHOD_UNKNOWN";
  const isOld = minor === "0";
  const bodyBytes = bodyFraming(fields, isOld) ?? 0;
  if (typeof bodyBytes === "string" && bodyBytes !== "chunked") return bodyBytes;
  return {
    method,
    target,
    isOld,
    headers: fields.kept,
    fieldCount: fields.count,
    host: fields.host,
    expect: fields.expect,
    connection: fields.connection,
    upgrade: fields.upgrade,
    bodyBytes,
    isPersistent: isPersistent(fields, isOld),
  };
}

const badLine = (line: string): RequestHeadProblem =>
  /^\S+ \S+ HTTP\/\d\.\d$/.test(line) && !/ HTTP\/1\.[01]$/.test(line) ? "VERSION_UNKNOWN" : "MALFORMED";
