import { hopByHopNames } from "../../component/wasi/header-rules.ts";

/** What is wrong with a request that cannot be served; see `fault-answer.ts` for what its client is told. */
export type RequestProblem =
  | "MALFORMED"
  | "HEAD_TOO_LARGE"
  | "TARGET_TOO_LONG"
  | "VERSION_UNKNOWN"
  | "CODING_UNKNOWN"
  | "METHOD_UNKNOWN"
  | "EXPECTATION_UNKNOWN"
  | "TOO_SLOW";

/** A request's head, understood in the only way that there is (RFC 9112, 2 to 6). */
export interface ReceivedHead {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  /** Flat, names in lower case; without those that belong to the connection. */
  readonly headers: readonly string[];
  /** Of the body; `chunked` when it says itself where it ends. */
  readonly bodyBytes: number | "chunked";
  /** The client wants to send another request on the connection. */
  readonly isPersistent: boolean;
  /** It does not know chunks (HTTP/1.0). */
  readonly isOld: boolean;
  /** The client waits for leave to send its body. */
  readonly expectsContinue: boolean;
}

/** A head with everything in it, as node:http has it. */
export const headBytesMax = 16 * 1024;
// A browser sends some thirty.
const headersMax = 256;

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const requestLine = new RegExp(`^(${token}{1,32}) ([\\x21\\x24-\\x7e\\x22]+) HTTP/1\\.([01])$`);
/** No line that is folded, no space before a colon, no CR or LF alone: what parsers disagree about is refused. */
const fieldLines = new RegExp(`^(?:${token}+:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n)*$`);
const lengthPattern = /^\d{1,15}$/;
// uri-host and port (RFC 3986, 3.2.2), as loosely as is harmless: no user, no path, no space.
const authorityPattern = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::\d{0,5})?$/;
const absolutePattern = /^https?:\/\/([^/?]+)(.*)$/i;

/** `text`: a head in latin1, with the empty line that ends it; at most `headBytesMax` characters. */
export function parseRequestHead(text: string): ReceivedHead | RequestProblem {
  const lineEnd = text.indexOf("\r\n");
  const line = requestLine.exec(text.slice(0, lineEnd));
  if (line === null) return /^\S+ \S+ HTTP\/\d\.\d$/.test(text.slice(0, lineEnd)) ? badLine(text) : "MALFORMED";
  const fields = readFields(text.slice(lineEnd + 2, -2));
  if (typeof fields === "string") return fields;
  const [, method = "", target = "", minor] = line;
  return headOf({ method, target, isOld: minor === "0" }, fields);
}

function badLine(text: string): RequestProblem {
  return / HTTP\/1\.[01]\r\n/.test(text) ? "MALFORMED" : "VERSION_UNKNOWN";
}

/** What the fields of a head say of its message; all the others are for the guest. */
interface Fields {
  readonly others: string[];
  host: string | undefined;
  length: string | undefined;
  coding: string | undefined;
  connection: string;
  expect: string | undefined;
}

/** `lines`: each with its CRLF. */
function readFields(lines: string): Fields | RequestProblem {
  if (!fieldLines.test(lines)) return "MALFORMED";
  const fields: Fields = {
    others: [],
    host: undefined,
    length: undefined,
    coding: undefined,
    connection: "",
    expect: undefined,
  };
  let count = 0;
  for (let at = 0; at < lines.length;) {
    if (++count > headersMax) return "HEAD_TOO_LARGE";
    const colon = lines.indexOf(":", at);
    const end = lines.indexOf("\r\n", colon);
    const name = lines.slice(at, colon).toLowerCase();
    if (!addField(fields, name, withoutSpace(lines, colon + 1, end))) return "MALFORMED";
    at = end + 2;
  }
  return fields;
}

/** False when a field is there twice of which two parsers could take another one. */
function addField(fields: Fields, name: string, value: string): boolean {
  switch (name) {
    case "host":
      if (fields.host !== undefined) return false;
      fields.host = value;
      return true;
    case "content-length":
      if (fields.length !== undefined) return false;
      fields.length = value;
      fields.others.push(name, value);
      return true;
    case "transfer-encoding":
      if (fields.coding !== undefined) return false;
      fields.coding = value;
      return true;
    case "connection":
      fields.connection += `,${value.toLowerCase()}`;
      return true;
    case "expect":
      if (fields.expect !== undefined) return false;
      fields.expect = value;
      return true;
    default:
      if (!hopByHopNames.has(name)) fields.others.push(name, value);
      return true;
  }
}

/** Optional whitespace is space and tab, and nothing else that JavaScript would trim (RFC 9110, 5.6.3). */
function withoutSpace(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09;

interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly isOld: boolean;
}

function headOf({ method, target, isOld }: RequestLine, fields: Fields): ReceivedHead | RequestProblem {
  // A tunnel is for a proxy (RFC 9110, 9.3.6).
  if (method === "CONNECT") return "METHOD_UNKNOWN";
  const place = placeOf(method, target, fields.host);
  // A request of HTTP/1.1 names its host, also when its target does (RFC 9112, 3.2).
  if (place === undefined || (fields.host === undefined && !isOld)) return "MALFORMED";
  const bodyBytes = bodyOf(fields, isOld);
  if (typeof bodyBytes === "string" && bodyBytes !== "chunked") return bodyBytes;
  const expectsContinue = fields.expect !== undefined && !isOld;
  if (expectsContinue && fields.expect?.toLowerCase() !== "100-continue") return "EXPECTATION_UNKNOWN";
  return {
    method,
    target: place.target,
    authority: place.authority,
    headers: fields.others,
    bodyBytes,
    isPersistent: isPersistent(fields.connection, isOld),
    isOld,
    expectsContinue: expectsContinue && bodyBytes !== 0,
  };
}

function placeOf(
  method: string,
  target: string,
  host = "",
): { readonly target: string; readonly authority: string } | undefined {
  if (!authorityPattern.test(host)) return undefined;
  if (target.startsWith("/") || (target === "*" && method === "OPTIONS")) return { target, authority: host };
  // A client that takes this server for a proxy writes the whole address, which counts more than Host (RFC 9112, 3.2.2).
  const absolute = absolutePattern.exec(target);
  if (absolute === null) return undefined;
  const [, authority = "", rest = ""] = absolute;
  if (!authorityPattern.test(authority)) return undefined;
  return { target: rest.startsWith("/") ? rest : `/${rest}`, authority };
}

/** Both framings at once, and any coding but chunks, are how requests are smuggled (RFC 9112, 6.3 and 11.2). */
function bodyOf({ length, coding }: Fields, isOld: boolean): number | "chunked" | RequestProblem {
  if (coding !== undefined) {
    if (length !== undefined || isOld) return "MALFORMED";
    return coding.toLowerCase() === "chunked" ? "chunked" : "CODING_UNKNOWN";
  }
  if (length === undefined) return 0;
  return lengthPattern.test(length) ? Number(length) : "MALFORMED";
}

/** RFC 9112, 9.3. */
function isPersistent(connection: string, isOld: boolean): boolean {
  if (connection === "") return !isOld;
  const options = connection.split(",").map((option) => option.trim());
  if (options.includes("close")) return false;
  return !isOld || options.includes("keep-alive");
}

/** The trailers of a body in chunks, as the fields of a head; what could change the message is not taken (RFC 9110, 6.5.1). */
export function parseTrailers(lines: string): readonly string[] | RequestProblem {
  const fields = readFields(lines);
  if (typeof fields === "string") return fields;
  const { others } = fields;
  return fields.length === undefined ? others : others.filter((_, at) => others[at - (at % 2)] !== "content-length");
}
