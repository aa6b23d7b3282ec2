import { parseDurationMs } from "@shallop/sdk/internal";

/**
 * How a new revision gets the requests of the one before it, as annotations on a Service or Route say:
 *
 *   rollout.shallop.dev/steps: "5,25,50"       percents, before all; their presence asks for a rollout in steps
 *   rollout.shallop.dev/interval: 30s          how long a step lasts
 *   rollout.shallop.dev/advance: time          or `requests`: as soon as min-requests were answered well
 *   rollout.shallop.dev/min-requests: "20"     fewer say nothing about the error rate
 *   rollout.shallop.dev/max-error-rate: "5"    percent of a step's requests; more, and all go back
 *   serving.knative.dev/rollout-duration: 380s Knative's own word: evenly up to all in this time, where no steps are given
 */
export interface RolloutSettings {
  readonly steps: readonly number[];
  readonly intervalMs: number;
  readonly advance: "time" | "requests";
  readonly minRequests: number;
  readonly maxErrorPercent: number;
}

export const rolloutPrefix = "rollout.shallop.dev/";
/** The Route's controller's own note of how far it is. */
export const rolloutState = `${rolloutPrefix}state`;
/** Knative's word for a rollout. */
export const gradualRollout = "serving.knative.dev/rollout-duration";
const defaults = { intervalMs: 60_000, minRequests: 20, maxErrorPercent: 5 } as const;

/** Knative begins with one percent, too. */
const gradualSteps = [1, 10, 20, 30, 40, 50, 60, 70, 80, 90] as const;

/** Undefined: revisions get all requests at once. What is no value counts as not given. */
export function rolloutSettings(annotations: Readonly<Record<string, string>> = {}): RolloutSettings | undefined {
  const said = (name: string): string | undefined => annotations[`${rolloutPrefix}${name}`];
  const steps = (said("steps") ?? "")
    .split(",")
    .map((text) => Number(text.trim()))
    .filter((percent) => Number.isInteger(percent) && percent > 0 && percent < 100)
    .toSorted((a, b) => a - b);
  const wholeMs = parseDurationMs(annotations[gradualRollout] ?? "") ?? 0;
  if (steps.length === 0 && wholeMs === 0) return undefined;
  const isGradual = steps.length === 0;
  return {
    steps: isGradual ? gradualSteps : steps,
    intervalMs: isGradual
      ? Math.ceil(wholeMs / gradualSteps.length)
      : (parseDurationMs(said("interval") ?? "") ?? defaults.intervalMs),
    advance: said("advance") === "requests" ? "requests" : "time",
    minRequests: numberOf(said("min-requests")) ?? defaults.minRequests,
    maxErrorPercent: numberOf(said("max-error-rate")?.replace("%", "")) ?? defaults.maxErrorPercent,
  };
}

function numberOf(text: string | undefined): number | undefined {
  const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}
