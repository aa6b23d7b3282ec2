import type { WireFaultCode } from "@shallop/sdk/wire";
import { answerHeadText } from "./answer-head.ts";
import type { RequestProblem } from "./request-head.ts";

interface Rule {
  readonly status: number;
  readonly text: string;
}

/** An answer that no guest has made. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  /** ASCII. */
  readonly body: string;
}

const failed: Rule = { status: 502, text: "The function failed." };

/** What a client is told instead of an answer; as the gateway says it (RFC 9110, 15; 507: RFC 4918, 11.5). */
const faults: Readonly<Record<WireFaultCode, Rule>> = {
  GUEST_FAILED: failed,
  GUEST_TIMEOUT: { status: 504, text: "The function did not answer within its time." },
  GUEST_MEMORY: { status: 507, text: "The function used up its memory." },
  GUEST_TABLE: { status: 507, text: "The function used up its tables." },
  GUEST_CPU: { status: 504, text: "The function used up its CPU time." },
  GUEST_HANDLES: { status: 507, text: "The function held too many handles." },
  GUEST_CONNECTIONS: { status: 503, text: "The function had too many connections open." },
  GUEST_HEADERS: { status: 507, text: "The function made too many header fields." },
  GUEST_LIMIT: { status: 507, text: "The function went over one of its limits." },
  REFUSED: { status: 503, text: "There are too many requests at the moment." },
  CANCELLED: failed,
  CONNECTION_LOST: { status: 502, text: "The request was lost when another one had to be stopped." },
  PROTOCOL: failed,
};

/** What a client is told whose request is none that can be served; the connection ends with it. */
const problems: Readonly<Record<RequestProblem, Rule>> = {
  MALFORMED: { status: 400, text: "This is no request of HTTP/1.1." },
  HEAD_TOO_LARGE: { status: 431, text: "The header fields are too large or too many." },
  TARGET_TOO_LONG: { status: 414, text: "The request's target is too long." },
  VERSION_UNKNOWN: { status: 505, text: "Only HTTP/1.1 and HTTP/1.0 are spoken here." },
  CODING_UNKNOWN: { status: 501, text: "A body may be sent in chunks, and in no other coding." },
  METHOD_UNKNOWN: { status: 501, text: "This server makes no tunnels." },
  EXPECTATION_UNKNOWN: { status: 417, text: "The only expectation that is known is 100-continue." },
  TOO_SLOW: { status: 408, text: "The request did not come within its time." },
};

export const faultAnswer = (code: WireFaultCode, requestId: string): Answer => answerOf(code, faults[code], requestId);

/** All bytes of one that ends its connection, for who has no exchange. `isHead`: without its body. */
export function lastAnswer(code: WireFaultCode, requestId: string, isHead: boolean): Buffer {
  const { body, ...answer } = faultAnswer(code, requestId);
  const date = new Date().toUTCString();
  const ends = { connection: "close", bodyBytes: body.length } as const;
  return Buffer.from(`${answerHeadText({ ...answer, ...ends, requestId, date })}${isHead ? "" : body}`, "latin1");
}

export const problemAnswer = (problem: RequestProblem, requestId: string): Answer =>
  answerOf(problem, problems[problem], requestId);

const answerOf = (code: string, { status, text }: Rule, requestId: string): Answer => ({
  status,
  headers: ["content-type", "text/plain; charset=utf-8", "cache-control", "no-store"],
  body: `${code}: ${text}\nrequest id: ${requestId}\n`,
});
