import { STATUS_CODES } from "node:http";
import { nameProblem } from "../../component/wasi/header-rules.ts";

export interface AnswerHead {
  readonly status: number;
  /** Flat; of a guest or of ours. */
  readonly headers: readonly string[];
  readonly requestId: string;
  /** An HTTP date. */
  readonly date: string;
  /** What is to be said of the connection: that it ends, or to HTTP/1.0 that it does not; undefined for what is the rule. */
  readonly connection: "close" | "keep-alive" | undefined;
  /** How long the body is, when its sender has not said so; `chunked` when nobody knows yet; undefined when there is none. */
  readonly bodyBytes: number | "chunked" | undefined;
}

const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/;
const statusLines = new Map<number, string>();

/** The text of a head, in latin1; undefined when it would be something else to its reader: a field with a line's end in it. */
export function answerHeadText(head: AnswerHead): string | undefined {
  const { headers } = head;
  let lines = "";
  let hasLength = false;
  let hasDate = false;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? "";
    if (name === "content-length") {
      // Guests may say it twice, of the same value, and where there is no body.
      if (hasLength || head.status === 204) continue;
      hasLength = true;
    } else if (name === "date") hasDate = true;
    const line = fieldLine(name, headers[index + 1] ?? "");
    if (line === undefined) return undefined;
    lines += line;
  }
  let text = statusLine(head.status) + lines;
  if (!hasLength && head.bodyBytes !== undefined) text += framing(head.bodyBytes);
  if (!hasDate) text += `date: ${head.date}\r\n`;
  if (head.connection !== undefined) text += `connection: ${head.connection}\r\n`;
  return `${text}x-request-id: ${head.requestId}\r\n\r\n`;
}

/** The fields after a body in chunks, without those that would be something else to their reader. */
export function trailerText(flat: readonly string[]): string {
  let lines = "";
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const name = flat[index] ?? "";
    if (name !== "content-length") lines += fieldLine(name, flat[index + 1] ?? "") ?? "";
  }
  return lines;
}

/** Fields of guests are well-formed, as they are made so: this is the last look at what divides messages. */
const fieldLine = (name: string, value: string): string | undefined =>
  nameProblem(name) === undefined && valuePattern.test(value) ? `${name}: ${value}\r\n` : undefined;

const framing = (bodyBytes: number | "chunked"): string =>
  bodyBytes === "chunked" ? "transfer-encoding: chunked\r\n" : `content-length: ${bodyBytes}\r\n`;

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    statusLines.set(status, line);
  }
  return line;
}
