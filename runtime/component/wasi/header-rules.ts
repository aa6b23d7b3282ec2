/** What header fields may be: RFC 9110, 5.1 and 5.5; RFC 9113, 8.2.2 for those that belong to one connection only. */

const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const [tab, space, del] = [0x09, 0x20, 0x7f];

/** Names that a guest may neither see as its own to set nor send: they speak of the connection, not of the message. */
export const hopByHopNames: ReadonlySet<string> = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export type HeaderProblem = "invalid-syntax" | "forbidden";

/** @returns what is wrong with a name that a guest wants to set, or undefined. */
export function nameProblem(name: string): HeaderProblem | undefined {
  if (!tokenPattern.test(name)) return "invalid-syntax";
  return hopByHopNames.has(name.toLowerCase()) ? "forbidden" : undefined;
}

/** Visible characters, spaces, tabs and obs-text; no other control character, so no line can be ended. */
export function isHeaderValue(value: Uint8Array): boolean {
  for (let index = 0; index < value.length; index++) {
    const byte = value[index] ?? del;
    if ((byte < space && byte !== tab) || byte === del) return false;
  }
  return true;
}

export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");

/** The value of a `content-length` that says one number of bytes; undefined = there is none; null = it is nonsense. */
export function parseContentLength(values: readonly string[]): number | undefined | null {
  const [first] = values;
  if (first === undefined) return undefined;
  if (!/^\d{1,15}$/.test(first) || values.some((value) => value !== first)) return null;
  return Number(first);
}
