import { errorCode, Fault } from "@shallop/sdk/internal";
import type { ActivateFaultCode } from "@shallop/sdk/wire";

export type AgentFaultCode =
  /** The request is not one that the agent understands. Message says why. */
  | "BAD_REQUEST"
  /** The certificate is not that of a gateway or of the control plane. */
  | "FORBIDDEN"
  | "NOT_FOUND"
  | "METHOD_NOT_ALLOWED"
  | "BODY_TOO_LARGE"
  /** As many tunnels or log readers as the agent takes. */
  | "TOO_MANY"
  /** The pod is there and cannot be connected to. */
  | "POD_UNREACHABLE"
  /** The data directory or a port is another process's. Message names the flag that helps. */
  | "IN_USE"
  | "INTERNAL";

export class AgentFault extends Fault<AgentFaultCode> {}

/** The one place where the agent's codes become HTTP statuses. */
const statusByCode: Readonly<Record<AgentFaultCode | ActivateFaultCode, number>> = {
  BAD_REQUEST: 400,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_PREPARED: 409,
  IN_USE: 409,
  BODY_TOO_LARGE: 413,
  NO_USABLE_VARIANT: 422,
  TOO_MANY: 429,
  INTERNAL: 500,
  START_FAILED: 502,
  POD_UNREACHABLE: 502,
  NO_CAPACITY: 503,
};

export interface FaultAnswer {
  readonly status: number;
  readonly body: { readonly code: string; readonly message: string };
}

/** What a client is told of an error. Of one without a known code it learns only that there was one. */
export function faultAnswer(error: unknown): FaultAnswer {
  const code = errorCode(error);
  if (error instanceof Fault && code !== undefined && isKnown(code)) {
    return { status: statusByCode[code], body: { code, message: error.message } };
  }
  return { status: statusByCode.INTERNAL, body: { code: "INTERNAL", message: "the node agent failed; see its log" } };
}

const isKnown = (code: string): code is keyof typeof statusByCode => Object.hasOwn(statusByCode, code);
