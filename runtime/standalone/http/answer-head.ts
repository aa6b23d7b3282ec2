import { fieldLine, isField, statusLine } from "@shallop/sdk/http1";
import { hopByHopNames } from "../../component/wasi/header-rules.ts";

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
    const value = headers[index + 1] ?? "";
    if (!isSendable(name, value)) return undefined;
    lines += fieldLine(name, value);
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
    const value = flat[index + 1] ?? "";
    if (name !== "content-length" && isSendable(name, value)) lines += fieldLine(name, value);
  }
  return lines;
}

/** Fields of guests are well-formed, as they are made so: this is the last look at what divides messages. */
const isSendable = (name: string, value: string): boolean =>
  isField(name, value) && !hopByHopNames.has(name.toLowerCase());

const framing = (bodyBytes: number | "chunked"): string =>
  bodyBytes === "chunked" ? "transfer-encoding: chunked\r\n" : `content-length: ${bodyBytes}\r\n`;
