import type { Condition, ConditionStatus } from "@shallop/sdk/api";
import { rfc3339 } from "@shallop/sdk/internal";

/** What is known about one aspect of an object, before it has a time. */
export interface Finding {
  readonly status: ConditionStatus;
  /** One word in CamelCase; absent when the status is True. */
  readonly reason?: string;
  readonly message?: string;
  /** `Info`: says something, and does not count towards Ready. */
  readonly severity?: "Info";
}

export const isTrue: Finding = { status: "True" };
export const unknown = (reason: string, message: string): Finding => ({ status: "Unknown", reason, message });
export const failed = (reason: string, message: string): Finding => ({ status: "False", reason, message });

/** The condition of a type among an object's; undefined: nobody has said. */
export const conditionOf = (
  object: { readonly status?: { readonly conditions?: readonly Condition[] } } | undefined,
  type: string,
): Condition | undefined => object?.status?.conditions?.find((condition) => condition.type === type);

export const isConditionTrue = (
  object: { readonly status?: { readonly conditions?: readonly Condition[] } } | undefined,
  type: string,
): boolean => conditionOf(object, type)?.status === "True";

/**
 * Ready from the conditions that it depends on (knative.dev/pkg/apis, ConditionSet): the first that is False makes it
 * False, else the first that is Unknown makes it Unknown, each with its own reason.
 */
function readyFrom(findings: Readonly<Record<string, Finding>>): Finding {
  const counting = Object.values(findings).filter(({ severity }) => severity !== "Info");
  const decisive =
    counting.find(({ status }) => status === "False") ?? counting.find(({ status }) => status === "Unknown");
  return decisive ?? isTrue;
}

/**
 * Conditions as they are written: `findings` and Ready, in order of type as Knative sorts them. One whose status did not
 * change keeps the time of its last transition.
 */
export function conditionsFrom(
  findings: Readonly<Record<string, Finding>>,
  before: readonly Condition[] | undefined,
  wallMs: number,
): readonly Condition[] {
  return Object.entries({ ...findings, Ready: readyFrom(findings) })
    .map(([type, { status, reason, message, severity }]): Condition => {
      const same = before?.find((condition) => condition.type === type && condition.status === status);
      return {
        type,
        status,
        ...(severity === undefined ? {} : { severity }),
        ...(reason === undefined ? {} : { reason }),
        ...(message === undefined ? {} : { message }),
        lastTransitionTime: same?.lastTransitionTime ?? rfc3339(wallMs),
      };
    })
    .sort((a, b) => (a.type < b.type ? -1 : 1));
}
