/** What is wrong with the head or the body of a message. */
export type MessageProblem = "MALFORMED" | "HEAD_TOO_LARGE" | "CODING_UNKNOWN";

export interface FieldRules {
  /** Whether a field is handed on by its name, in lower case; asked of those only that are not understood here. */
  readonly keeps: (name: string) => boolean;
  /** More fields than this are too many. */
  readonly countMax: number;
}

/** The fields of a head, and what they say of their message (RFC 9112, 3 to 9). */
export interface Fields {
  /** Flat, names in lower case, as they came. */
  readonly kept: string[];
  /** Of all, kept or not. */
  count: number;
  /** Of a request, as `expect`: in an answer they mean nothing. */
  host: string | undefined;
  expect: string | undefined;
  /** Kept, too. */
  length: string | undefined;
  coding: string | undefined;
  /** Options in lower case; empty when there are none. */
  connection: string;
  upgrade: string | undefined;
}

export const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
/** No line that is folded, no space before a colon, no CR or LF alone: what parsers disagree about is refused. */
const fieldLines = new RegExp(`^(?:${token}+:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n)*$`);
const lengthPattern = /^\d{1,15}$/;

/** `lines`: in latin1, each with its CRLF. */
export function readFields(lines: string, rules: FieldRules, isRequest: boolean): Fields | MessageProblem {
  if (!fieldLines.test(lines)) return "MALFORMED";
  const fields: Fields = {
    kept: [],
    count: 0,
    host: undefined,
    expect: undefined,
    length: undefined,
    coding: undefined,
    connection: "",
    upgrade: undefined,
  };
  for (let at = 0; at < lines.length;) {
    if (++fields.count > rules.countMax) return "HEAD_TOO_LARGE";
    const colon = lines.indexOf(":", at);
    const end = lines.indexOf("\r\n", colon);
    const name = lines.slice(at, colon).toLowerCase();
    const value = withoutSpace(lines, colon + 1, end);
    if (isRequest && (name === "host" || name === "expect")) {
      if (fields[name] !== undefined) return "MALFORMED";
      fields[name] = value;
    } else if (!addField(fields, name, value)) {
      if (rules.keeps(name)) fields.kept.push(name, value);
    } else if (fields.length === twice || fields.coding === twice) return "MALFORMED";
    at = end + 2;
  }
  return fields;
}

/** Stands for a field that is there twice, of which two parsers could take another one. It is no value. */
const twice = "\r\n";

/** @returns false for a field that is understood by others only */
function addField(fields: Fields, name: string, value: string): boolean {
  switch (name) {
    case "content-length":
      fields.length = fields.length === undefined ? value : twice;
      fields.kept.push(name, value);
      return true;
    case "transfer-encoding":
      fields.coding = fields.coding === undefined ? value : twice;
      return true;
    case "connection":
      fields.connection += fields.connection === "" ? value.toLowerCase() : `,${value.toLowerCase()}`;
      return true;
    case "upgrade":
      fields.upgrade = fields.upgrade === undefined ? value : `${fields.upgrade},${value}`;
      return true;
    default:
      return false;
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

/**
 * How the fields say where the body ends; undefined when they do not. Both framings at once, and any coding but chunks, are how
 * messages are smuggled (RFC 9112, 6.3 and 11.2).
 */
export function bodyFraming(
  { length, coding }: Fields,
  isOld: boolean,
): number | "chunked" | undefined | MessageProblem {
  if (coding !== undefined) {
    if (length !== undefined || isOld) return "MALFORMED";
    return coding.toLowerCase() === "chunked" ? "chunked" : otherCoding(coding);
  }
  if (length === undefined) return undefined;
  return lengthPattern.test(length) ? Number(length) : "MALFORMED";
}

/** Chunks come last and once: where a body without them ends nobody can tell. */
function otherCoding(coding: string): MessageProblem {
  const codings = coding.split(",").map((one) => one.trim().toLowerCase());
  return codings.indexOf("chunked") === codings.length - 1 ? "CODING_UNKNOWN" : "MALFORMED";
}

/** Whether its sender wants to go on with the connection (RFC 9112, 9.3). */
export function isPersistent({ connection }: Fields, isOld: boolean): boolean {
  if (connection === "") return !isOld;
  if (connection === "keep-alive") return true;
  if (connection === "close") return false;
  const options = connection.split(",").map((option) => option.trim());
  if (options.includes("close")) return false;
  return !isOld || options.includes("keep-alive");
}

/**
 * The fields after a body in chunks, flat. What could change the message is not taken (RFC 9110, 6.5.1), nor what `keeps` does not keep.
 */
export function parseTrailers(lines: string, rules: FieldRules): readonly string[] | MessageProblem {
  if (lines === "") return none;
  const fields = readFields(lines, rules, true);
  if (typeof fields === "string") return fields;
  const { kept } = fields;
  return fields.length === undefined ? kept : kept.filter((_, at) => kept[at - (at % 2)] !== "content-length");
}

const none: readonly string[] = [];
