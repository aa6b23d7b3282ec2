import type { ApiFault, ApiFaultCode, JsonObject } from "@shallop/sdk/api";
import { ExpiredList } from "../faults.ts";

/** The one table from faults to HTTP (k8s.io/apimachinery/pkg/apis/meta/v1 StatusReason). */
const statusCodes: Readonly<Record<ApiFaultCode, number>> = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
};

/** A fault as `metav1.Status`. */
export function faultStatus(fault: ApiFault): JsonObject & { readonly code: number } {
  const { causes, ...details } = fault.details;
  const hasDetails = causes !== undefined || Object.keys(details).length > 0;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: fault instanceof ExpiredList ? { continue: fault.continue } : {},
    status: "Failure",
    message: fault.message,
    reason: fault.code,
    ...(hasDetails
      ? { details: { ...details, ...(causes === undefined ? {} : { causes: causes.map((cause) => ({ ...cause })) }) } }
      : {}),
    code: statusCodes[fault.code],
  };
}

/** `Status` of a deletion that is done. */
export const successStatus = (details: JsonObject): JsonObject => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Success",
  details,
});

export function faultResponse(fault: ApiFault): Response {
  const status = faultStatus(fault);
  const { retryAfterSeconds } = fault.details;
  return Response.json(status, {
    status: status.code,
    headers: {
      ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
      ...(fault.code === "Unauthorized" ? { "www-authenticate": 'Bearer realm="shallop"' } : {}),
    },
  });
}
