import type { SignalName } from "@shallop/sdk/api";
import type { ScaleSpec } from "./spec.ts";
import { digits, greatestWish, type Load } from "./wish.ts";

/** What there is at the moment of a decision. */
export interface Observation {
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  readonly ready: number;
  /** A route sends requests to the revision, or may soon. */
  readonly reachable: boolean;
  /** By the revision's metric. Undefined: nothing was reported within the window. */
  readonly load: Load | undefined;
  /** By each of its further signals; undefined: that one is not known. */
  readonly more?: readonly (Load | undefined)[];
}

/** What the algorithm remembers from one decision to the next. */
export interface KpaMemory {
  readonly panicSinceMs: number | undefined;
  /** Most pods that were wanted since the panic began. */
  readonly panicPeak: number;
  /** Wishes within the scale-down delay: older and larger ones first. */
  readonly recent: readonly { readonly atMs: number; readonly want: number }[];
}

export interface KpaResult {
  /** Undefined: there is nothing to decide on. */
  readonly desired: number | undefined;
  /** The one that asked for the most pods. */
  readonly signal: SignalName;
  readonly memory: KpaMemory;
  readonly formula: string;
  /** Bounds that changed the result, in the order in which they did. */
  readonly bounds: readonly string[];
  /** Below 0: a burst would find too little room, so requests shall be held in the gateway. */
  readonly excessBurstCapacity: number;
}

/**
 * A new scaler of a revision that has several ready pods begins in panic, pinned at their number: whatever it was that
 * asked for them is not known any more, and must not be taken for silence.
 */
export const initialKpaMemory = (nowMs: number, ready: number): KpaMemory => ({
  panicSinceMs: ready > 1 ? nowMs : undefined,
  panicPeak: ready > 1 ? ready : 0,
  recent: [],
});

export const seconds = (ms: number): string => `${digits(Math.round(ms) / 1000)}s`;

/**
 * One evaluation of Knative's pod autoscaler (pkg/autoscaler/scaling/autoscaler.go, `Scale`). Example with defaults,
 * 2 ready pods, stable 142 and panic 150 requests: ceil(142 / 70) = 3 pods; ceil(150 / 70) = 3 is less than twice 2,
 * so it is no panic, and 3 it is.
 */
export function evaluate(spec: ScaleSpec, memory: KpaMemory, observation: Observation): KpaResult {
  const { nowMs, load } = observation;
  if (load === undefined) {
    const over = memory.panicSinceMs !== undefined && memory.panicSinceMs + spec.stableWindowMs < nowMs;
    // Silence after a panic is a load of nothing; silence otherwise is none to decide on.
    if (!over) return undecided(spec, memory, observation);
    return decided(spec, { ...memory, panicSinceMs: undefined, panicPeak: 0 }, { ...observation, load: nothing });
  }
  return decided(spec, memory, { ...observation, load });
}

const nothing: Load = { stable: 0, panic: 0 };

const undecided = (spec: ScaleSpec, memory: KpaMemory, { ready }: Observation): KpaResult => ({
  desired: undefined,
  signal: spec.metric,
  memory,
  formula: "no load was reported within the window, so nothing is changed",
  bounds: [],
  excessBurstCapacity: burstCapacity(spec, ready, 0),
});

type LoadedObservation = Observation & { readonly load: Load };

function decided(spec: ScaleSpec, before: KpaMemory, observation: LoadedObservation): KpaResult {
  const { load, nowMs, reachable } = observation;
  const stableWish = greatestWish(spec, observation, "stable");
  const panicWish = greatestWish(spec, observation, "panic");
  const stable = podsFor(spec, stableWish.asked, observation);
  const panic = podsFor(spec, panicWish.asked, observation);
  const ratio = panicWish.asked / Math.max(1, observation.ready);
  const panicSinceMs = panicState(spec, before, { nowMs, ratio });
  let desired = stable.pods;
  let { bounds } = stable;
  let { signal, words: formula } = stableWish;
  let panicPeak = 0;
  if (panicSinceMs !== undefined) {
    if (panic.pods > desired) {
      ({ pods: desired, bounds } = panic);
      ({ signal } = panicWish);
    }
    panicPeak = Math.max(before.panicPeak, desired);
    if (panicPeak > desired) bounds = [];
    desired = panicPeak;
    formula = `panic: max(${panicWish.words}, ${stableWish.words}, peak ${String(before.panicPeak)}) = ${String(desired)}`;
  }
  let recent: KpaMemory["recent"] = [];
  if (reachable && spec.scaleDownDelayMs > 0) {
    recent = withWish(before.recent, { atMs: nowMs, want: desired }, nowMs - spec.scaleDownDelayMs);
    const most = recent[0]?.want ?? desired;
    if (most > desired)
      bounds = [...bounds, `scale-down-delay ${seconds(spec.scaleDownDelayMs)}: ${String(most)} were wanted within it`];
    desired = most;
  }
  return {
    desired,
    signal,
    memory: { panicSinceMs, panicPeak, recent },
    formula,
    bounds,
    excessBurstCapacity: burstCapacity(spec, observation.ready, load.panic),
  };
}

/** What was asked for, within the rates of change, and at least the activation scale. */
function podsFor(
  spec: ScaleSpec,
  asked: number,
  { ready: readyPods, reachable }: Observation,
): { readonly pods: number; readonly bounds: readonly string[] } {
  const ready = Math.max(1, readyPods);
  // Rounded up, so that a small rate still lets one pod become two.
  const most = Math.ceil(spec.maxScaleUpRate * ready);
  const least = reachable ? Math.floor(ready / spec.maxScaleDownRate) : 0;
  const bounds: string[] = [];
  let pods = Math.min(Math.max(asked, least), most);
  if (pods < asked)
    bounds.push(`max-scale-up-rate ${digits(spec.maxScaleUpRate)} × ready ${String(ready)} = ${String(most)}`);
  if (pods > asked) {
    bounds.push(
      `max-scale-down-rate: floor(ready ${String(ready)} / ${digits(spec.maxScaleDownRate)}) = ${String(least)}`,
    );
  }
  if (spec.activationScale > 1 && asked > 0 && spec.activationScale > pods) {
    pods = spec.activationScale;
    bounds.push(`activation-scale ${String(spec.activationScale)}`);
  }
  return { pods, bounds };
}

/** When the panic that goes on was last confirmed; undefined: there is none. */
function panicState(
  spec: ScaleSpec,
  { panicSinceMs }: KpaMemory,
  { nowMs, ratio }: { readonly nowMs: number; readonly ratio: number },
): number | undefined {
  if (ratio >= spec.panicThreshold) return nowMs;
  const over = panicSinceMs !== undefined && panicSinceMs + spec.stableWindowMs < nowMs;
  return over ? undefined : panicSinceMs;
}

/** Keeps, oldest first, only wishes that are larger than all later ones: the first is the largest of the window. */
function withWish(
  recent: KpaMemory["recent"],
  wish: { readonly atMs: number; readonly want: number },
  sinceMs: number,
): KpaMemory["recent"] {
  return [...recent.filter(({ atMs, want }) => atMs > sinceMs && want > wish.want), wish];
}

/**
 * Room for a burst beyond what is there: `floor(ready·total − target-burst-capacity − panic)`. Example: 3 ready pods of
 * 100, 211 wanted, 40 in flight: 49, so the pods take a burst by themselves.
 */
function burstCapacity(spec: ScaleSpec, ready: number, panic: number): number {
  if (spec.targetBurstCapacity === 0) return 0;
  if (spec.targetBurstCapacity < 0) return -1;
  return Math.floor(ready * spec.total - spec.targetBurstCapacity - panic);
}
