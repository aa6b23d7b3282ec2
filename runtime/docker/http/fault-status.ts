import { describeError, errorCode } from "@shallop/sdk/internal";
import { DockerFault, type DockerFaultCode } from "./docker-fault.ts";

const ownStatuses: Readonly<Record<DockerFaultCode, number>> = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  NOT_FOUND: 404,
  CONFLICT: 409,
  NOT_MODIFIED: 304,
  UNSUPPORTED: 501,
  TOO_MANY: 429,
  FAILED: 500,
};

/** Codes of images, builds and the Kubernetes API, as Docker's own errors have statuses. */
const otherStatuses: Readonly<Record<string, number>> = {
  REFERENCE_INVALID: 400,
  FILTER_INVALID: 400,
  DIGEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  LAYER_INVALID: 400,
  DENIED: 409,
  UNAUTHORIZED: 401,
  POLICY_DENIED: 403,
  TOO_LARGE: 400,
  DOCKERFILE_INVALID: 400,
  CONTEXT_INVALID: 400,
  BadRequest: 400,
  Invalid: 400,
  Forbidden: 403,
  NotFound: 404,
  Conflict: 409,
  AlreadyExists: 409,
  ServiceUnavailable: 503,
  TooManyRequests: 429,
};

/** Codes → statuses of the Docker API, the one table. */
export function faultStatus(error: unknown): number {
  const code = errorCode(error) ?? "";
  return (ownStatuses as Readonly<Record<string, number>>)[code] ?? otherStatuses[code] ?? 500;
}

/** The body of every refusal. What is worded for Docker's clients, which look for words in it, is told as it is. */
export const faultBody = (error: unknown): { readonly message: string } => ({
  message: error instanceof DockerFault ? error.message : describeError(error),
});
