import type { StrictCondition } from "@shallop/sdk/api";
import { rfc3339 } from "@shallop/sdk/internal";

/** `metav1.Condition` before it has a time: it always has a reason. */
export interface StrictFinding {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message?: string;
}

export const holds = (reason: string, message = ""): StrictFinding => ({ status: "True", reason, message });
export const fails = (reason: string, message: string): StrictFinding => ({ status: "False", reason, message });

/** Conditions as the Gateway API wants them; one whose status did not change keeps the time of its last transition. */
export const strictConditions = (
  findings: Readonly<Record<string, StrictFinding>>,
  before: readonly StrictCondition[] | undefined,
  { generation, wallMs }: { readonly generation: number; readonly wallMs: number },
): readonly StrictCondition[] =>
  Object.entries(findings).map(([type, { status, reason, message = "" }]) => {
    const same = before?.find((condition) => condition.type === type && condition.status === status);
    return {
      type,
      status,
      observedGeneration: generation,
      lastTransitionTime: same?.lastTransitionTime ?? rfc3339(wallMs),
      reason,
      message,
    };
  });
