import type { ServerResponse } from "node:http";
import type { WireFaultCode } from "@shallop/sdk/wire";

interface FaultRule {
  readonly status: number;
  readonly text: string;
}

const failed: FaultRule = { status: 502, text: "The function failed." };

/** What a client is told instead of an answer; as the gateway says it (RFC 9110, 15; 507: RFC 4918, 11.5). */
const rules: Readonly<Record<WireFaultCode, FaultRule>> = {
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
  CONNECTION_LOST: failed,
  PROTOCOL: failed,
};

/** Answers a request with a fault; its head must not have been sent. */
export function answerFault(outgoing: ServerResponse, code: WireFaultCode, requestId: string): void {
  const { status, text } = rules[code];
  const body = `${code}: ${text}\nrequest id: ${requestId}\n`;
  outgoing.writeHead(status, [
    "content-type",
    "text/plain; charset=utf-8",
    "content-length",
    String(Buffer.byteLength(body)),
    "cache-control",
    "no-store",
    "x-request-id",
    requestId,
  ]);
  outgoing.end(body);
}
