import type { Revision } from "./serving.ts";

// core/v1 default; a program may have more to end than requests.
const graceSecondsMin = 30;
// Where a revision's requests may take for ever, its pods do not.
const graceSecondsMax = 600;

/**
 * How long a pod of a revision may take to end, seconds: as long as one of its requests may take, as Knative has it. A pod
 * without requests ends at once.
 */
export function graceSecondsOf({ timeoutSeconds = 300 }: Revision["spec"]): number {
  return timeoutSeconds === 0 ? graceSecondsMax : Math.max(graceSecondsMin, timeoutSeconds);
}
