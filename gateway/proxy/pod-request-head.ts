import { fieldLine, isField } from "@shallop/sdk/http1";
import type { UpstreamRequest } from "./upstream.ts";

const lineForm = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32} [\x21-\x7e]+$/;

/**
 * The head of a request to a native pod, in latin1, made anew from its parsed form; undefined when it would be something else to its
 * reader. The framing is ours alone: a length that is known, or chunks, never a body that only one side believes in.
 */
export function podRequestHead({ head, contentLength, hasBody, isUpgrade }: UpstreamRequest): string | undefined {
  const line = `${head.method} ${head.target}`;
  if (!lineForm.test(line) || !isField("host", head.authority)) return undefined;
  let text = `${line} HTTP/1.1\r\n${fieldLine("host", head.authority)}`;
  const { headers } = head;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? "";
    const value = headers[index + 1] ?? "";
    if (!isField(name, value)) return undefined;
    text += fieldLine(name, value);
  }
  if (isUpgrade) return `${text}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`;
  if (hasBody && contentLength === undefined) text += "transfer-encoding: chunked\r\n";
  return `${text}connection: keep-alive\r\n\r\n`;
}
