import { parseDurationMs } from "../../internal/duration.ts";
import { ApiFault, type StatusCause } from "../fault.ts";
import type { ValidationSettings } from "../kind.ts";
import { annotation, autoscalingPrefix } from "../names.ts";
import { parseSignals, signalNames } from "../signals.ts";
import { invalid } from "./cause.ts";

// knative/serving pkg/apis/autoscaling/annotation_validation.go: the ranges of the autoscaler's annotations.

const secondMs = 1000;
const hourMs = 3_600_000;

/** Returns what the value must be, or undefined when it is that. */
type Rule = (value: string, settings: ValidationSettings) => string | undefined;

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

const numberRule =
  (fits: (value: number) => boolean, words: string): Rule =>
  (text) =>
    decimal.test(text) && Number.isFinite(Number(text)) && fits(Number(text)) ? undefined : words;

const int32Max = 2_147_483_647;

const integerRule =
  (min: number): Rule =>
  (text) =>
    /^[+-]?\d+$/.test(text) && Number(text) >= min && Number(text) <= int32Max
      ? undefined
      : `must be an integer from ${min} to ${int32Max}`;

const durationRule =
  (minMs: number, words: string, { stepMs = secondMs, maxMs = hourMs } = {}): Rule =>
  (text) => {
    const durationMs = parseDurationMs(text);
    const fits = durationMs !== undefined && durationMs >= minMs && durationMs <= maxMs && durationMs % stepMs === 0;
    return fits ? undefined : words;
  };

const oneOfRule =
  (values: readonly string[]): Rule =>
  (text) =>
    values.includes(text) ? undefined : `must be one of ${values.join(", ")}`;

const upToOneHour = durationRule(0, "must be a duration from 0s to 1h in whole seconds");

// knative/serving pkg/apis/serving/metadata_validation.go; a pull may take long, and nobody waits for more than a day.
const progressDeadline = durationRule(secondMs, "must be a duration from 1s to 24h in whole seconds", {
  maxMs: 24 * hourMs,
});

const kpaClass = "kpa.autoscaling.knative.dev";
const hpaClass = "hpa.autoscaling.knative.dev";
const metricsByClass: Readonly<Record<string, readonly string[]>> = {
  [kpaClass]: ["concurrency", "rps"],
  [hpaClass]: ["cpu", "memory"],
};

const rules: Readonly<Record<string, Rule>> = {
  // Knative leaves a class of somebody else's to that one's autoscaler. There is none here, and such pods would never scale.
  class: oneOfRule([kpaClass, hpaClass]),
  metric: oneOfRule(Object.values(metricsByClass).flat()),
  target: numberRule((value) => value >= 0.01, "must be a number, at least 0.01"),
  "target-utilization-percentage": numberRule((value) => value >= 1 && value <= 100, "must be a number from 1 to 100"),
  "target-burst-capacity": numberRule((value) => value === -1 || value >= 0, "must be -1 or a number, at least 0"),
  window: durationRule(6 * secondMs, "must be a duration from 6s to 1h in whole seconds"),
  "panic-window-percentage": numberRule((value) => value >= 1 && value <= 100, "must be a number from 1 to 100"),
  "panic-threshold-percentage": numberRule(
    (value) => value >= 110 && value <= 1000,
    "must be a number from 110 to 1000",
  ),
  "scale-to-zero-pod-retention-period": durationRule(0, "must be a duration from 0s to 1h", { stepMs: 1 }),
  "scale-down-delay": upToOneHour,
  "initial-scale": (text, settings) =>
    text === "0" && !settings.allowZeroInitialScale
      ? "must be an integer, at least 1 (0 needs allow-zero-initial-scale)"
      : integerRule(0)(text, settings),
  "min-scale": integerRule(0),
  "max-scale": (text, settings) => {
    const most = settings.maxScaleLimit ?? 0;
    const fault = integerRule(0)(text, settings);
    if (fault !== undefined || most === 0 || (Number(text) > 0 && Number(text) <= most)) return fault;
    return `must be an integer from 1 to ${most} (max-scale-limit)`;
  },
  "activation-scale": integerRule(2),
  "metric-aggregation-algorithm": oneOfRule(["linear", "weighted-exponential", "weightedExponential"]),
};

const durations: readonly (readonly [string, Rule])[] = [
  [annotation.keepWarmWorth, upToOneHour],
  [annotation.progressDeadline, progressDeadline],
];

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
  for (const [key, rule] of durations) {
    const value = annotations[key];
    const fault = value === undefined ? undefined : rule(value, settings);
    if (value !== undefined && fault !== undefined) causes.push(invalid(`${path}.${key}`, value, fault));
  }
  const dryRun = annotations[annotation.autoscalingDryRun] ?? "false";
  if (dryRun !== "true" && dryRun !== "false")
    causes.push(invalid(`${path}.${annotation.autoscalingDryRun}`, dryRun, "must be true or false"));
  return [...causes, ...metricCauses(annotations, path), ...boundCauses(scale, path)];
}

/** Signals and metric have to fit the class, and each other. */
function metricCauses(annotations: Readonly<Record<string, string>>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const known = metricsByClass[annotations[`${autoscalingPrefix}class`] ?? kpaClass] ?? [];
  const metric = annotations[`${autoscalingPrefix}metric`];
  // One that no class has was told of already.
  if (metric !== undefined && !known.includes(metric) && Object.values(metricsByClass).flat().includes(metric)) {
    causes.push(
      invalid(`${path}.${autoscalingPrefix}metric`, metric, `must be one of ${known.join(", ")} in this class`),
    );
  }
  const text = annotations[annotation.signals];
  const signals = text === undefined ? undefined : parseSignals(text);
  const own = metric ?? known[0] ?? "";
  const fault =
    typeof signals === "string"
      ? signals
      : [...(signals?.keys() ?? [])].some((name) => name === own)
        ? `must not name ${own}, which is the metric and has its target in ${autoscalingPrefix}target`
        : undefined;
  if (text !== undefined && fault !== undefined) causes.push(invalid(`${path}.${annotation.signals}`, text, fault));
  return causes;
}

/** Numbers of pods that contradict each other; those that are no numbers were told of already. */
function boundCauses(scale: Readonly<Record<string, number>>, path: string): StatusCause[] {
  const min = scale["min-scale"] ?? 0;
  const max = scale["max-scale"] ?? 0;
  const activation = scale["activation-scale"];
  const causes: StatusCause[] = [];
  const tell = (name: string, detail: string): void =>
    void causes.push(invalid(`${path}.${autoscalingPrefix}${name}`, String(scale[name]), detail));
  if (max > 0 && min > max) tell("min-scale", `must not be more than ${autoscalingPrefix}max-scale ${max}`);
  if (activation !== undefined && min > activation)
    tell("activation-scale", `must not be less than ${autoscalingPrefix}min-scale ${min}`);
  if (activation !== undefined && max > 0 && max < activation)
    tell("activation-scale", `must not be more than ${autoscalingPrefix}max-scale ${max}`);
  return causes;
}

const isSignal = (name: string): boolean => (signalNames as readonly string[]).includes(name);
const settingNames = [...Object.keys(rules), "keep-warm-worth", ...signalNames].sort();

/**
 * Reads settings of one revision's autoscaler, `max-scale=20,target=50,cpu=80`, by the names of its annotations and signals.
 * @returns the annotations that say the same. @throws ApiFault BadRequest with what a setting must be
 */
export function parseAutoscalingSettings(text: string, settings: ValidationSettings): Readonly<Record<string, string>> {
  const annotations: Record<string, string> = {};
  const signals: string[] = [];
  for (const setting of text.split(",")) {
    const [name = "", value, ...more] = setting.trim().split("=");
    if (value === undefined || more.length > 0 || !settingNames.includes(name)) {
      throw new ApiFault(
        "BadRequest",
        `"${setting}" is no setting of the autoscaler: write name=value with one of ${settingNames.join(", ")}`,
      );
    }
    if (isSignal(name)) signals.push(`${name}=${value}`);
    else annotations[name === "keep-warm-worth" ? annotation.keepWarmWorth : autoscalingPrefix + name] = value;
  }
  if (signals.length > 0) annotations[annotation.signals] = signals.join(",");
  const [cause] = validateAutoscaling(annotations, "whatIf", settings);
  if (cause !== undefined) throw new ApiFault("BadRequest", `${cause.field}: ${cause.message}`);
  return annotations;
}
