import type { ClientEnd } from "./client-end.ts";
import { grpcFault } from "./grpc-fault.ts";
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
