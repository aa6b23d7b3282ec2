import { parseDurationMs } from "../../internal/duration.ts";
import { ApiFault, type StatusCause } from "../fault.ts";
import type { ValidationSettings } from "../kind.ts";
import { annotation, autoscalingPrefix } from "../names.ts";
import { invalid } from "./cause.ts";

// knative/serving pkg/apis/autoscaling/annotation_validation.go: the ranges of the autoscaler's annotations.

const secondMs = 1000;
const hourMs = 3_600_000;

/** Returns what the value must be, or undefined when it is that. */
type Rule = (value: string, settings: ValidationSettings) => string | undefined;

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)$/;

const numberRule =
  (fits: (value: number) => boolean, words: string): Rule =>
  (text) =>
    decimal.test(text) && fits(Number(text)) ? undefined : words;

const integerRule =
  (min: number): Rule =>
  (text) =>
    /^\d{1,9}$/.test(text) && Number(text) >= min ? undefined : `must be an integer, at least ${min}`;

const durationRule =
  (minMs: number, words: string): Rule =>
  (text) => {
    const durationMs = parseDurationMs(text);
    const fits = durationMs !== undefined && durationMs >= minMs && durationMs <= hourMs && durationMs % secondMs === 0;
    return fits ? undefined : words;
  };

const oneOfRule =
  (values: readonly string[]): Rule =>
  (text) =>
    values.includes(text) ? undefined : `must be one of ${values.join(", ")}`;

const upToOneHour = durationRule(0, "must be a duration from 0s to 1h in whole seconds");

const rules: Readonly<Record<string, Rule>> = {
  class: oneOfRule(["kpa.autoscaling.knative.dev"]),
  metric: oneOfRule(["concurrency", "rps"]),
  target: numberRule((value) => value >= 0.01, "must be a number, at least 0.01"),
  // Values up to 1 are read as fractions.
  "target-utilization-percentage": numberRule((value) => value > 0 && value <= 100, "must be a number in (0, 100]"),
  "target-burst-capacity": numberRule((value) => value === -1 || value >= 0, "must be -1 or a number, at least 0"),
  window: durationRule(6 * secondMs, "must be a duration from 6s to 1h in whole seconds"),
  "panic-window-percentage": numberRule((value) => value >= 1 && value <= 100, "must be a number from 1 to 100"),
  "panic-threshold-percentage": numberRule(
    (value) => value >= 110 && value <= 1000,
    "must be a number from 110 to 1000",
  ),
  "scale-to-zero-pod-retention-period": upToOneHour,
  "scale-down-delay": upToOneHour,
  "initial-scale": (text, settings) =>
    text === "0" && !settings.allowZeroInitialScale
      ? "must be an integer, at least 1 (0 needs allow-zero-initial-scale)"
      : integerRule(0)(text, settings),
  "min-scale": integerRule(0),
  "max-scale": integerRule(0),
  "activation-scale": integerRule(2),
  "metric-aggregation-algorithm": oneOfRule(["linear", "weighted-exponential"]),
};

/** `minScale`, Knative's older spelling, is `min-scale`. */
const canonical = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Checks the autoscaler's annotations of a revision (template). */
export function validateAutoscaling(
  annotations: Readonly<Record<string, string>>,
  path: string,
  settings: ValidationSettings,
): StatusCause[] {
  const causes: StatusCause[] = [];
  const scale: Record<string, number> = {};
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.startsWith(autoscalingPrefix)) continue;
    const name = canonical(key.slice(autoscalingPrefix.length));
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    const fault = rule?.(value, settings);
    if (fault !== undefined) causes.push(invalid(`${path}.${key}`, value, fault));
    else scale[name] = Number(value);
  }
  const worth = annotations[annotation.keepWarmWorth];
  const worthFault = worth === undefined ? undefined : upToOneHour(worth, settings);
  if (worth !== undefined && worthFault !== undefined)
    causes.push(invalid(`${path}.${annotation.keepWarmWorth}`, worth, worthFault));
  const dryRun = annotations[annotation.autoscalingDryRun] ?? "false";
  if (dryRun !== "true" && dryRun !== "false")
    causes.push(invalid(`${path}.${annotation.autoscalingDryRun}`, dryRun, "must be true or false"));
  const max = scale["max-scale"] ?? 0;
  if (max > 0 && (scale["min-scale"] ?? 0) > max) {
    const detail = `must not be more than ${autoscalingPrefix}max-scale ${max}`;
    causes.push(invalid(`${path}.${autoscalingPrefix}min-scale`, String(scale["min-scale"]), detail));
  }
  return causes;
}

/**
 * Reads settings of one revision's autoscaler, `max-scale=20,target=50`, by the names of its annotations.
 * @returns the annotations that say the same. @throws ApiFault BadRequest with what a setting must be
 */
export function parseAutoscalingSettings(text: string, settings: ValidationSettings): Readonly<Record<string, string>> {
  const annotations: Record<string, string> = {};
  for (const setting of text.split(",")) {
    const [name = "", value, ...more] = setting.trim().split("=");
    if (value === undefined || more.length > 0 || !(Object.hasOwn(rules, name) || name === "keep-warm-worth")) {
      const names = [...Object.keys(rules), "keep-warm-worth"].sort().join(", ");
      throw new ApiFault(
        "BadRequest",
        `"${setting}" is no setting of the autoscaler: write name=value with one of ${names}`,
      );
    }
    annotations[name === "keep-warm-worth" ? annotation.keepWarmWorth : autoscalingPrefix + name] = value;
  }
  const [cause] = validateAutoscaling(annotations, "whatIf", settings);
  if (cause !== undefined) throw new ApiFault("BadRequest", `${cause.field}: ${cause.message}`);
  return annotations;
}
