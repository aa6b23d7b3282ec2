import { expect, test } from "vitest";
import { faultResponse, type GatewayFaultCode } from "./fault-status.ts";
import { grpcFault } from "./grpc-fault.ts";

const headersOf = (headers: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: headers.length / 2 }, (_, index) => [headers[2 * index], headers[2 * index + 1]]),
  );

const rows: { code: GatewayFaultCode; status: string }[] = [
  { code: "UNAUTHENTICATED", status: "16" },
  { code: "CLIENT_REFUSED", status: "7" },
  { code: "HOST_UNKNOWN", status: "12" },
  { code: "RATE_LIMITED", status: "14" },
  { code: "QUEUE_FULL", status: "14" },
  { code: "ANSWER_TIMEOUT", status: "4" },
  { code: "BODY_TOO_LARGE", status: "8" },
  { code: "GUEST_FAILED", status: "14" },
];
test.each(rows)("$code is $status", ({ code, status }) => {
  const fault = grpcFault(faultResponse(code, "id"));
  expect(fault.status).toBe(200);
  expect(headersOf(fault.headers)).toMatchObject({
    "content-type": "application/grpc",
    "grpc-status": status,
    "x-request-id": "id",
  });
});

test("when to come back is told, and what is no printable ASCII is percent-encoded", () => {
  const fault = faultResponse("RATE_LIMITED", "id", { text: "100 % über\u0007", retryAfterSeconds: 3 });
  expect(headersOf(grpcFault(fault).headers)).toMatchObject({
    "retry-after": "3",
    "grpc-message": "RATE_LIMITED: 100 %25 %C3%BCber%07",
  });
});
