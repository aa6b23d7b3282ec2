import { webSocketHeaders } from "@shallop/sdk/wire";
import { GatewayFault } from "./fault-status.ts";

/** An answer's head as it goes to the client. */
export interface AnswerHead {
  readonly status: number;
  /** Flat; hop-by-hop headers are left out. */
  readonly headers: string[];
  /** Undefined when the guest did not say. */
  readonly contentLength: number | undefined;
  /** False for an answer that has no body whatever its headers say (RFC 9112, 6.3). */
  readonly hasBody: boolean;
  /** What stands before the body, for the gateway: so many bytes. */
  readonly prefixBytes: number;
}

/** Hop-by-hop (RFC 9110, 7.6.1), and what the gateway says itself. */
export const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // Said by the gateway.
  "x-request-id",
]);

const tokenForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// RFC 9110, 5.5: visible characters, space, tab, and what is above ASCII; never a line break or a zero.
const valueForm = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Whether it can be sent as one header, and be read as that only. */
export const isHeader = (name: string, value: string): boolean => tokenForm.test(name) && valueForm.test(value);

/** Headers of an interim answer that can be passed on, flat; what cannot is left out. */
export function readInterimHead(raw: readonly string[]): readonly string[] {
  const headers: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    const value = raw[index + 1] ?? "";
    const passes = !hopByHop.has(name) && !name.startsWith("x-shallop-") && name !== "content-length";
    if (passes && isHeader(name, value)) headers.push(name, value);
  }
  return headers;
}

/**
 * Checks a head that a guest gave: the guest is not trusted to make one that Node's own writer takes, nor one that means
 * one thing only.
 * @throws GatewayFault ANSWER_INVALID
 */
export function readAnswerHead(givenStatus: number, raw: readonly string[], method: string): AnswerHead {
  // Which request a 101 may answer is looked at by who sent it.
  if (!Number.isInteger(givenStatus) || (givenStatus < 200 && givenStatus !== 101) || givenStatus > 599)
    throw new GatewayFault("ANSWER_INVALID", `the guest gave the status ${givenStatus}`);
  let said = nothingSaid;
  let headers: string[] = [];
  let contentLength: number | undefined;
  let connection: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    const value = raw[index + 1] ?? "";
    if (name === "content-length") {
      if (!/^[0-9]{1,15}$/.test(value) || (contentLength !== undefined && contentLength !== Number(value)))
        throw new GatewayFault("ANSWER_INVALID", "the guest gave a length that is none, or two");
      if (contentLength !== undefined) continue;
      contentLength = Number(value);
    } else if (name === "connection") connection = connection === undefined ? value : `${connection},${value}`;
    if (name === webSocketHeaders.said) said = readSaid(value);
    if (hopByHop.has(name) || name.startsWith("x-shallop-")) continue;
    if (!isHeader(name, value))
      throw new GatewayFault("ANSWER_INVALID", `the guest gave a header that cannot be sent: ${JSON.stringify(name)}`);
    headers.push(name, value);
  }
  if (connection !== undefined && !/^(keep-alive|close)$/i.test(connection)) {
    const named = new Set(connection.split(",").map((option) => option.trim().toLowerCase()));
    named.delete("content-length");
    headers = headers.filter((_item, index) => !named.has(headers[index - (index % 2)] ?? ""));
  }
  const { prefixBytes, status = givenStatus } = said;
  if (prefixBytes > 0 && contentLength !== undefined) {
    contentLength = said.status === undefined ? contentLength - prefixBytes : undefined;
    if (contentLength !== undefined && contentLength < 0)
      throw new GatewayFault("ANSWER_INVALID", "the guest says more than the length that it gave");
    headers = withLength(headers, contentLength);
  }
  const hasBody = method !== "HEAD" && status !== 204 && status !== 205 && status !== 304;
  // RFC 9110, 8.6: not in a 204, nor in a 101. A 205 has no body, which a length of its own would deny.
  if ((status === 101 || status === 204 || status === 205) && contentLength !== undefined) {
    headers = withLength(headers, undefined);
    contentLength = undefined;
  }
  return { status, headers, contentLength: hasBody ? contentLength : undefined, hasBody, prefixBytes };
}

/** Flat headers with this length instead of theirs. */
function withLength(headers: readonly string[], length: number | undefined): string[] {
  const others = headers.filter((_item, index) => headers[index - (index % 2)] !== "content-length");
  return length === undefined ? others : [...others, "content-length", String(length)];
}

interface Said {
  readonly prefixBytes: number;
  /** For the client; undefined: as it is. */
  readonly status?: number;
}

const nothingSaid: Said = { prefixBytes: 0 };

/** @throws GatewayFault ANSWER_INVALID */
function readSaid(value: string): Said {
  const [, count, status] = /^([0-9]{1,9})(?: (204|205|304))?$/.exec(value) ?? [];
  if (count === undefined)
    throw new GatewayFault("ANSWER_INVALID", `the guest gave ${webSocketHeaders.said}: ${JSON.stringify(value)}`);
  return { prefixBytes: Number(count), ...(status === undefined ? {} : { status: Number(status) }) };
}
