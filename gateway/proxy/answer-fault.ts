import type { ClientEnd } from "./client-end.ts";
import { grpcFault, grpcStatus } from "./grpc-fault.ts";
import { faultResponse, type GatewayFaultCode } from "./fault-status.ts";

export interface FaultAnswer {
  readonly code: GatewayFaultCode;
  readonly requestId: string;
  /** Replaces the table's sentence. */
  readonly text?: string | undefined;
  /** More headers, flat. */
  readonly headers?: readonly string[];
  /** Replaces the table's. */
  readonly retryAfterSeconds?: number | undefined;
  /** Where the request ends is not clear. */
  readonly inDoubt?: boolean;
}

/** Answers a request with a fault. The head must not have been sent. */
export function answerFault(
  client: ClientEnd,
  { code, requestId, text, inDoubt, retryAfterSeconds, headers: more = [] }: FaultAnswer,
): void {
  const fault = faultResponse(code, requestId, { text, more, retryAfterSeconds });
  if (inDoubt === true) client.framingInDoubt();
  if (client.speaksGrpc === true) {
    const { status, headers } = grpcFault(fault);
    client.writeHead(status, headers, "nothing");
    return client.end(undefined);
  }
  client.writeHead(fault.status, fault.headers, "body");
  client.end(fault.body);
}

/**
 * Ends an answer that has begun and cannot be completed. Who speaks gRPC is told why, as where a call ends by itself: of a stream that is
 * reset it only knows that something is wrong with who answers, and does not try again.
 */
export function breakOff(
  client: ClientEnd,
  { code, requestId, text, endsWithStatus }: FaultAnswer & { readonly endsWithStatus: boolean },
): void {
  // Who does not read would not read that.
  if (client.speaksGrpc !== true || !endsWithStatus || code === "ANSWER_UNREAD") return client.cutShort();
  client.end(undefined, grpcStatus(faultResponse(code, requestId, { text })));
  client.discardRest();
}
