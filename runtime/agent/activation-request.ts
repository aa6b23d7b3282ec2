import { describeError } from "@shallop/sdk/internal";
import type { ActivateRequest } from "@shallop/sdk/wire";
import { AgentFault } from "./fault-status.ts";

/** As many pods as a process of a tenant has. */
const besideMax = 200;
/** Two names of at most 253 bytes, and those of the pods beside. */
export const activationBytesMax = 4096;

/** What a gateway asks for. @throws AgentFault BAD_REQUEST */
export function parseActivation(body: string): ActivateRequest {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null && "namespace" in parsed && "revision" in parsed) {
      const { namespace, revision } = parsed;
      const beside = "beside" in parsed ? parsed.beside : [];
      if (
        typeof namespace === "string" &&
        typeof revision === "string" &&
        Array.isArray(beside) &&
        beside.length <= besideMax &&
        beside.every(isText)
      ) {
        return { namespace, revision, ...(beside.length === 0 ? {} : { beside }) };
      }
    }
  } catch (error) {
    throw new AgentFault("BAD_REQUEST", `an activation is JSON: ${describeError(error)}`);
  }
  throw new AgentFault("BAD_REQUEST", 'an activation is {"namespace":…,"revision":…}, and may have "beside":[…]');
}

const isText = (value: unknown): value is string => typeof value === "string";
