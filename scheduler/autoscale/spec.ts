import { annotation, autoscalingPrefix, parseSignals, type RevisionScaling, type SignalName } from "@shallop/sdk/api";
import { parseDurationMs } from "@shallop/sdk/internal";
import { type AutoscalerConfig, targetMin } from "./config.ts";
import type { Signal } from "./signals.ts";

/** How one revision scales: its annotations over the global configuration. */
export interface ScaleSpec {
  readonly metric: SignalName;
  /** What a pod can take: the hard limit, or the soft target. */
  readonly total: number;
  /** What a pod shall get: `total` times the utilization. */
  readonly target: number;
  /** A load that is so near to what the ready pods are for changes nothing; a share of it. */
  readonly tolerance: number;
  /** Further signals. The one of all that asks for the most pods has them. */
  readonly more: readonly Signal[];
  readonly targetBurstCapacity: number;
  readonly stableWindowMs: number;
  readonly panicWindowMs: number;
  /** 2 = twice what the ready pods are for. */
  readonly panicThreshold: number;
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly scaleDownDelayMs: number;
  /** 0: none given. */
  readonly activationScale: number;
  readonly initialScale: number;
  readonly minScale: number;
  /** 0 = unlimited. */
  readonly maxScale: number;
  readonly enableScaleToZero: boolean;
  readonly scaleToZeroGraceMs: number;
  readonly podRetentionMs: number;
  readonly aggregation: "linear" | "weighted-exponential";
  /** Decisions are made and told, and not acted on. */
  readonly dryRun: boolean;
  /** A start that takes longer is given up. */
  readonly activationTimeoutMs: number;
  /** How long a pod may wait for a cold start to be avoided. A Wasm pod's costs next to nothing, so by default it does not. */
  readonly keepWarmWorthMs: { readonly native: number; readonly wasm: number };
}

const secondMs = 1000;
/** knative/serving config-deployment: `progress-deadline`. */
const progressDeadlineMsDefault = 600_000;
/** knative/serving pkg/reconciler/autoscaling/kpa/scaler.go: activationTimeoutBuffer. */
const activationBufferMs = 30_000;

type Annotations = Readonly<Record<string, string>>;

/** `minScale`, Knative's older spelling, is `min-scale`. */
const canonical = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * Reads the autoscaler's annotations of a revision. They were checked when it was made; what cannot be read all the same
 * counts as not given.
 */
export function parseSpec(annotations: Annotations, containerConcurrency: number, config: AutoscalerConfig): ScaleSpec {
  const given = new Map<string, string>();
  for (const [key, value] of Object.entries(annotations)) {
    if (key.startsWith(autoscalingPrefix)) given.set(canonical(key.slice(autoscalingPrefix.length)), value);
  }
  const number = (name: string, fits: (value: number) => boolean): number | undefined => {
    const text = given.get(name);
    const value = text === undefined || text === "" ? Number.NaN : Number(text);
    return Number.isFinite(value) && fits(value) ? value : undefined;
  };
  const duration = (name: string): number | undefined => parseDurationMs(given.get(name) ?? "");
  const scale = (name: string, least: number): number | undefined =>
    number(name, (value) => Number.isInteger(value) && value >= least);
  const isHpa = given.get("class") === "hpa.autoscaling.knative.dev";
  const stableWindowMs = duration("window") ?? config.stableWindowMs;
  const panicPercentage = number("panic-window-percentage", (v) => v >= 1 && v <= 100) ?? config.panicWindowPercentage;
  const worthMs = parseDurationMs(annotations[annotation.keepWarmWorth] ?? "");
  const aggregation = given.get("metric-aggregation-algorithm");
  const target = number("target", (value) => value >= targetMin);
  const percentage = number("target-utilization-percentage", (value) => value > 0 && value <= 100);
  const utilization =
    percentage === undefined ? config.targetUtilization : percentage <= 1 ? percentage : percentage / 100;
  const metric = given.get("metric") === "rps" ? "rps" : "concurrency";
  const spec: ScaleSpec = {
    metric,
    ...targets(metric, containerConcurrency, { target, utilization, config }),
    tolerance: 0,
    more: furtherSignals(annotations, utilization),
    targetBurstCapacity: number("target-burst-capacity", (v) => v === -1 || v >= 0) ?? config.targetBurstCapacity,
    stableWindowMs,
    // Whole seconds, since a bucket is one; at least one.
    panicWindowMs: Math.max(1, Math.round((stableWindowMs * panicPercentage) / 100 / secondMs)) * secondMs,
    panicThreshold:
      (number("panic-threshold-percentage", (v) => v >= 110 && v <= 1000) ?? config.panicThresholdPercentage) / 100,
    maxScaleUpRate: config.maxScaleUpRate,
    maxScaleDownRate: config.maxScaleDownRate,
    scaleDownDelayMs: duration("scale-down-delay") ?? config.scaleDownDelayMs,
    activationScale: scale("activation-scale", 2) ?? 0,
    initialScale: scale("initial-scale", config.allowZeroInitialScale ? 0 : 1) ?? config.initialScale,
    minScale: scale("min-scale", 0) ?? config.minScale,
    maxScale: limited(scale("max-scale", 0) ?? config.maxScale, config.maxScaleLimit),
    enableScaleToZero: config.enableScaleToZero,
    scaleToZeroGraceMs: config.scaleToZeroGraceMs,
    podRetentionMs: duration("scale-to-zero-pod-retention-period") ?? config.podRetentionMs,
    aggregation: weighted.includes(aggregation ?? "") ? "weighted-exponential" : "linear",
    dryRun: annotations[annotation.autoscalingDryRun] === "true",
    activationTimeoutMs: progressDeadlineMs(annotations) + activationBufferMs,
    keepWarmWorthMs: { native: worthMs ?? config.keepWarmWorthMs, wasm: worthMs ?? 0 },
  };
  if (!isHpa) return spec;
  return asHpa(spec, {
    metric: given.get("metric"),
    target,
    windowMs: duration("window"),
    delayMs: duration("scale-down-delay"),
  });
}

/** What gateways and nodes are told, which add pods for a burst before the autoscaler has heard of it. */
export const scalingOf = ({ metric, target, maxScale, dryRun }: ScaleSpec): RevisionScaling => ({
  maxScale,
  // Less than one request at once is a matter of averages, which neither gateways nor nodes make.
  ...(metric === "concurrency" && !dryRun ? { concurrencyPerPod: Math.max(1, Math.floor(target)) } : {}),
});

/** Both spellings that Knative takes. */
const weighted: readonly string[] = ["weighted-exponential", "weightedExponential"];

interface HpaGiven {
  readonly metric: string | undefined;
  readonly target: number | undefined;
  readonly windowMs: number | undefined;
  readonly delayMs: number | undefined;
}

/**
 * Class `hpa.autoscaling.knative.dev`: what a HorizontalPodAutoscaler does that Knative makes for it
 * (pkg/reconciler/autoscaling/hpa/resources/hpa.go), with the defaults of Kubernetes' horizontal pod autoscaler. By the
 * processor, in percent of what a pod asks for, 80 when nothing is said, or by memory, MiB of each pod. The last pod stays
 * while a route leads to it; there is no panic, and a load within a tenth of what is ready for changes nothing.
 */
function asHpa(spec: ScaleSpec, { metric, target, windowMs, delayMs }: HpaGiven): ScaleSpec {
  const isMemory = metric === "memory" && target !== undefined;
  const total = isMemory ? target : Math.ceil(metric === "memory" ? hpaCpuTarget : (target ?? hpaCpuTarget));
  const stableWindowMs = windowMs ?? hpaWindowMs;
  return {
    ...spec,
    metric: isMemory ? "memory" : "cpu",
    total,
    target: total,
    tolerance: hpaTolerance,
    targetBurstCapacity: 0,
    stableWindowMs,
    panicWindowMs: stableWindowMs,
    panicThreshold: Number.POSITIVE_INFINITY,
    scaleDownDelayMs: delayMs ?? hpaScaleDownDelayMs,
    minScale: Math.max(1, spec.minScale),
    initialScale: Math.max(1, spec.initialScale),
  };
}

const hpaCpuTarget = 80;
const hpaTolerance = 0.1;
/** kube-controller-manager: horizontal-pod-autoscaler-sync-period and -downscale-stabilization. */
const hpaWindowMs = 15 * secondMs;
const hpaScaleDownDelayMs = 300 * secondMs;

/** `cpu=80,queue=5`: the utilization is for requests, whose targets are what a pod can take, and not what it shall get. */
function furtherSignals(annotations: Annotations, utilization: number): readonly Signal[] {
  // What cannot be read counts as not given, as with all others.
  const signals = parseSignals(annotations[annotation.signals] ?? "");
  if (typeof signals === "string") return [];
  return [...signals].map(([name, total]) => ({
    name,
    total,
    target: name === "concurrency" || name === "rps" ? Math.max(targetMin, total * utilization) : total,
  }));
}

/** Time within which a revision has to come up: its annotation, or Knative's default. */
export function progressDeadlineMs(annotations: Annotations): number {
  const given = parseDurationMs(annotations[annotation.progressDeadline] ?? "");
  return given === undefined || given <= 0 ? progressDeadlineMsDefault : given;
}

/**
 * knative/serving pkg/reconciler/autoscaling/resources/target.go. Examples: nothing given: total 100, target 70;
 * containerConcurrency 10, annotation target 50: total min(50, 10) = 10, target 7.
 */
function targets(
  metric: "concurrency" | "rps",
  containerConcurrency: number,
  given: {
    readonly target: number | undefined;
    readonly utilization: number;
    readonly config: AutoscalerConfig;
  },
): Pick<ScaleSpec, "total" | "target"> {
  const { target, utilization, config } = given;
  const hard = metric === "concurrency" && containerConcurrency > 0 ? containerConcurrency : undefined;
  const soft = target ?? (metric === "rps" ? config.rpsTarget : config.concurrencyTarget);
  const total = hard === undefined ? soft : Math.min(target ?? hard, hard);
  return { total, target: Math.max(targetMin, total * utilization) };
}

const limited = (maxScale: number, limit: number): number =>
  limit > 0 && (maxScale === 0 || maxScale > limit) ? limit : maxScale;
