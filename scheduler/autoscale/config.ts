import { parseDurationMs } from "@shallop/sdk/internal";
import { AutoscalerFault } from "./fault.ts";

/** Knative's ConfigMap `config-autoscaler`: what holds for every revision that does not say otherwise. */
export interface AutoscalerConfig {
  readonly concurrencyTarget: number;
  readonly rpsTarget: number;
  /** `container-concurrency-target-percentage` as a fraction. */
  readonly targetUtilization: number;
  readonly targetBurstCapacity: number;
  readonly stableWindowMs: number;
  readonly panicWindowPercentage: number;
  readonly panicThresholdPercentage: number;
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly enableScaleToZero: boolean;
  readonly scaleToZeroGraceMs: number;
  readonly podRetentionMs: number;
  readonly scaleDownDelayMs: number;
  readonly initialScale: number;
  readonly allowZeroInitialScale: boolean;
  readonly minScale: number;
  /** 0 = unlimited. */
  readonly maxScale: number;
  /** Above 0: no revision gets more, nor an unlimited scale. */
  readonly maxScaleLimit: number;
  /** Shallop's own key `keep-warm-worth`: how long a native pod may wait for a cold start to be avoided; 0 = not at all. */
  readonly keepWarmWorthMs: number;
}

/** knative/serving config/core/configmaps/autoscaler.yaml. */
export const defaultConfig: AutoscalerConfig = {
  concurrencyTarget: 100,
  rpsTarget: 200,
  targetUtilization: 0.7,
  targetBurstCapacity: 211,
  stableWindowMs: 60_000,
  panicWindowPercentage: 10,
  panicThresholdPercentage: 200,
  maxScaleUpRate: 1000,
  maxScaleDownRate: 2,
  enableScaleToZero: true,
  scaleToZeroGraceMs: 30_000,
  podRetentionMs: 0,
  scaleDownDelayMs: 0,
  initialScale: 1,
  allowZeroInitialScale: false,
  minScale: 0,
  maxScale: 0,
  maxScaleLimit: 0,
  keepWarmWorthMs: 900_000,
};

/** knative/serving pkg/apis/autoscaling: TargetMin. A smaller target would ask for more pods than there are requests. */
export const targetMin = 0.01;
const secondMs = 1000;
const windowMsMin = 6 * secondMs;
const windowMsMax = 3600 * secondMs;

type Values = { -readonly [Key in keyof AutoscalerConfig]: AutoscalerConfig[Key] };
/** Sets what `text` says; returns what fits when it does not. */
type Setter = (values: Values, text: string) => string | undefined;
type NumberKey = { [Key in keyof Values]: Values[Key] extends number ? Key : never }[keyof Values];
type FlagKey = { [Key in keyof Values]: Values[Key] extends boolean ? Key : never }[keyof Values];

const decimal = /^-?\d+(\.\d+)?$/;

const number =
  (key: NumberKey, fits: (value: number) => boolean, words: string): Setter =>
  (values, text) => {
    const value = Number(text);
    if (!decimal.test(text) || !fits(value)) return words;
    values[key] = value;
    return undefined;
  };

const count = (key: NumberKey): Setter =>
  number(key, (value) => Number.isInteger(value) && value >= 0 && value <= 1e9, "an integer, at least 0");

const duration =
  (key: NumberKey, minMs: number): Setter =>
  (values, text) => {
    const value = parseDurationMs(text);
    if (value === undefined || value < minMs || value > windowMsMax || value % secondMs !== 0) {
      return `a duration from ${String(minMs / secondMs)}s to 1h in whole seconds`;
    }
    values[key] = value;
    return undefined;
  };

const flag =
  (key: FlagKey): Setter =>
  (values, text) => {
    if (text !== "true" && text !== "false") return "true or false";
    values[key] = text === "true";
    return undefined;
  };

const percentage: Setter = (values, text) => {
  const value = Number(text);
  // Values up to 1 are read as fractions.
  const fraction = value <= 1 ? value : value / 100;
  if (!decimal.test(text) || fraction <= 0 || fraction > 1) return "a number in (0, 100]";
  values.targetUtilization = fraction;
  return undefined;
};

const setters: Readonly<Record<string, Setter>> = {
  "container-concurrency-target-default": number("concurrencyTarget", (v) => v >= targetMin, `at least ${targetMin}`),
  "requests-per-second-target-default": number("rpsTarget", (v) => v >= targetMin, `at least ${targetMin}`),
  "container-concurrency-target-percentage": percentage,
  "target-burst-capacity": number("targetBurstCapacity", (v) => v === -1 || v >= 0, "-1 or a number, at least 0"),
  "stable-window": duration("stableWindowMs", windowMsMin),
  "panic-window-percentage": number("panicWindowPercentage", (v) => v >= 1 && v <= 100, "a number from 1 to 100"),
  "panic-threshold-percentage": number("panicThresholdPercentage", (v) => v > 100, "a number above 100"),
  "max-scale-up-rate": number("maxScaleUpRate", (v) => v > 1, "a number above 1"),
  "max-scale-down-rate": number("maxScaleDownRate", (v) => v > 1, "a number above 1"),
  "enable-scale-to-zero": flag("enableScaleToZero"),
  "scale-to-zero-grace-period": duration("scaleToZeroGraceMs", windowMsMin),
  "scale-to-zero-pod-retention-period": duration("podRetentionMs", 0),
  "scale-down-delay": duration("scaleDownDelayMs", 0),
  "initial-scale": count("initialScale"),
  "allow-zero-initial-scale": flag("allowZeroInitialScale"),
  "min-scale": count("minScale"),
  "max-scale": count("maxScale"),
  "max-scale-limit": count("maxScaleLimit"),
  "keep-warm-worth": duration("keepWarmWorthMs", 0),
};

/**
 * The defaults with `settings` over them, each `key=value` as in `config-autoscaler`.
 * @throws AutoscalerFault CONFIG_INVALID
 */
export function parseConfig(settings: readonly string[]): AutoscalerConfig {
  const values: Values = { ...defaultConfig };
  for (const setting of settings) {
    const at = setting.indexOf("=");
    const key = setting.slice(0, Math.max(at, 0));
    const setter = Object.hasOwn(setters, key) ? setters[key] : undefined;
    if (setter === undefined) {
      throw invalid(
        `"${setting}" is no setting of the autoscaler: write key=value with one of ${Object.keys(setters).join(", ")}`,
      );
    }
    const fits = setter(values, setting.slice(at + 1));
    if (fits !== undefined) throw invalid(`${key} is "${setting.slice(at + 1)}", and must be ${fits}`);
  }
  const { initialScale, allowZeroInitialScale, minScale, maxScale, maxScaleLimit } = values;
  if (initialScale === 0 && !allowZeroInitialScale)
    throw invalid("initial-scale is 0, which needs allow-zero-initial-scale=true");
  if (maxScale > 0 && minScale > maxScale)
    throw invalid(`min-scale ${String(minScale)} is above max-scale ${String(maxScale)}`);
  if (maxScaleLimit > 0 && maxScale > maxScaleLimit) {
    throw invalid(`max-scale ${String(maxScale)} is above max-scale-limit ${String(maxScaleLimit)}`);
  }
  return values;
}

const invalid = (why: string): AutoscalerFault =>
  new AutoscalerFault("CONFIG_INVALID", `the autoscaler cannot be set up: ${why}`);
