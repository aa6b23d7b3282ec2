import { parseDurationMs } from "../../internal/duration.ts";
import type { StatusCause } from "../fault.ts";
import { invalid, notSupported } from "./cause.ts";

const prefix = "rollout.shallop.dev/";
const gradual = "serving.knative.dev/rollout-duration";
const dayMs = 86_400_000;
const stepsMax = 20;

interface Rule {
  readonly fits: (text: string) => boolean;
  readonly words: string;
}

const isPercent = (text: string): boolean => /^\d{1,3}(\.\d{1,3})?%?$/.test(text) && Number.parseFloat(text) <= 100;

function isSteps(text: string): boolean {
  const steps = text.split(",").map((step) => step.trim());
  return steps.length <= stepsMax && steps.every((step) => /^[1-9]\d?$/.test(step));
}

function isDuration(text: string, minMs: number): boolean {
  const durationMs = parseDurationMs(text);
  return durationMs !== undefined && durationMs >= minMs && durationMs <= dayMs;
}

const rules: Readonly<Record<string, Rule>> = {
  steps: { fits: isSteps, words: `must be percents from 1 to 99, such as 5,25,50; ${stepsMax} at most` },
  interval: { fits: (text) => isDuration(text, 1_000), words: "must be a duration from 1s to 24h" },
  advance: { fits: (text) => text === "time" || text === "requests", words: "must be time or requests" },
  "min-requests": { fits: (text) => /^\d{1,9}$/.test(text), words: "must be a whole number" },
  // The controller's own note of how far it is.
  state: { fits: () => true, words: "" },
  "max-error-rate": { fits: isPercent, words: "must be a percentage from 0 to 100, such as 5 or 5%" },
};

/** Checks what a Service or Route says of how its revisions get their requests. One that is not known is a mistake. */
export function validateRollout(annotations: Readonly<Record<string, string>>, path: string): StatusCause[] {
  return Object.entries(annotations).flatMap(([key, value]) => {
    if (key === gradual && !isDuration(value, 0))
      return [invalid(`${path}.${key}`, value, "must be a duration from 0s to 24h")];
    if (!key.startsWith(prefix)) return [];
    const name = key.slice(prefix.length);
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined)
      return [
        notSupported(
          `${path}.${key}`,
          key,
          Object.keys(rules).map((known) => `${prefix}${known}`),
        ),
      ];
    return rule.fits(value) ? [] : [invalid(`${path}.${key}`, value, rule.words)];
  });
}
