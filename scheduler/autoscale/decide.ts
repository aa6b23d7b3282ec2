import type { SignalName } from "@shallop/sdk/api";
import { type Activity, nextActivity, towardsZero } from "./activity.ts";
import { evaluate, initialKpaMemory, type KpaMemory, type Observation } from "./kpa.ts";
import { isResource } from "./signals.ts";
import type { ScaleSpec } from "./spec.ts";
import type { Load } from "./wish.ts";

/** What a decision is made from, beside the load. */
export interface Situation extends Observation {
  /** The initial scale has been reached once. */
  readonly initialized: boolean;
  /** Some node has the image prepared. */
  readonly prepared: boolean;
  /** Mark of the newest pod that an activation made; another one than last time means that a request came. */
  readonly activation: string | undefined;
  /** Pods that activations made; more than last time: a burst came. */
  readonly activated: number;
  /** Pods that are not on their way out. */
  readonly pods: number;
  /** Why a pod is worth its memory although nothing asks for one; undefined: it is not. */
  readonly warm: string | undefined;
}

/** What is remembered from one decision to the next. */
export interface ScaleMemory {
  readonly kpa: KpaMemory;
  readonly activity: Activity;
  readonly proxySinceMs: number | undefined;
  /** Pods that were wanted last. */
  readonly applied: number;
  readonly activation: string | undefined;
  readonly activated: number;
}

export interface Outcome {
  /** Pods that there shall be. */
  readonly want: number;
  readonly memory: ScaleMemory;
  readonly inputs: Readonly<Record<string, number | string | boolean>>;
  readonly formula: string;
  readonly bound?: string;
}

/**
 * Memory for a revision that was not decided on before: a new one wants its initial scale; one that has been there, of
 * which only the pods are known, keeps them until there is something to decide on.
 */
export function initialMemory(
  spec: ScaleSpec,
  start: {
    readonly nowMs: number;
    readonly pods: number;
    readonly ready: number;
    readonly initialized: boolean;
    readonly activation: string | undefined;
    readonly activated: number;
  },
): ScaleMemory {
  const { nowMs, pods, ready, initialized, activation, activated } = start;
  const applied = initialized ? pods : Math.max(pods, spec.initialScale);
  const phase = ready > 0 && initialized ? "active" : applied > 0 ? "activating" : "inactive";
  return {
    kpa: initialKpaMemory(nowMs, ready),
    activity: { phase, sinceMs: nowMs },
    proxySinceMs: undefined,
    applied,
    activation,
    activated,
  };
}

/** One decision: the algorithm, then the bounds of the revision, then what it takes to go to zero. */
export function decide(spec: ScaleSpec, before: ScaleMemory, situation: Situation): Outcome {
  const { nowMs, ready, reachable, initialized } = situation;
  const memory = withActivation(before, situation);
  const result = evaluate(spec, memory.kpa, situation);
  const { excessBurstCapacity } = result;
  const min = leastOf(spec, memory, situation);
  const bounds = [...result.bounds];
  let formula = result.formula;
  // Without load a start that goes on is still held to its deadline; otherwise nothing is changed.
  const isHeld = memory.activity.phase === "activating" && min.pods === 0;
  let desired = result.desired ?? (isHeld ? 0 : memory.applied);
  if (result.desired === undefined && !initialized) formula = "no load yet: the initial scale is wanted";
  const bounded = withinBounds(desired, min, spec.maxScale);
  if (bounded.bound !== undefined) bounds.push(bounded.bound);
  desired = bounded.pods;
  const isProxied = excessBurstCapacity < 0 || desired === 0;
  const proxySinceMs = isProxied ? (memory.proxySinceMs ?? nowMs) : undefined;
  // Its time to come up begins when there is something to start: an image that comes late is run all the same.
  const isAwaited = !initialized && !situation.prepared && memory.activity.phase === "activating";
  let activity = isAwaited ? { ...memory.activity, sinceMs: nowMs } : memory.activity;
  let want = desired;
  const gaveUp = !initialized && activity.phase === "activating" && nowMs - activity.sinceMs > spec.activationTimeoutMs;
  if (desired === 0 || gaveUp) {
    const verdict = towardsZero(spec, {
      nowMs,
      reachable,
      activity,
      proxySinceMs: memory.proxySinceMs,
      applied: memory.applied,
    });
    ({ want, activity } = verdict);
    if (verdict.bound !== undefined) bounds.push(verdict.bound);
    desired = want === 0 || activity.phase === "inactive" ? 0 : want;
  }
  // The revision is no more active for it: it waits, and goes when its time is over.
  if (want === 0 && situation.warm !== undefined && initialized) {
    want = 1;
    bounds.push(`keep-warm: ${situation.warm}`);
  }
  // What is wanted is said, and what is there stays.
  const isDry = spec.dryRun && initialized;
  if (isDry) bounds.push(`dry-run: the ${String(situation.pods)} pods that there are stay`);
  const readyMin = initialized
    ? Math.max(1, reachable ? spec.minScale : 0)
    : Math.max(spec.minScale, spec.initialScale);
  activity = nextActivity(activity, { nowMs, wish: desired, ready, readyMin });
  return {
    want,
    memory: {
      kpa: result.memory,
      activity,
      proxySinceMs,
      applied: isDry ? situation.pods : want,
      activation: memory.activation,
      activated: memory.activated,
    },
    inputs: {
      ...(situation.load === undefined ? {} : loadInputs(spec, situation)),
      target: spec.target,
      total: spec.total,
      ...(spec.more.length === 0 ? {} : { signal: result.signal }),
      readyPods: ready,
      panicking: result.memory.panicSinceMs !== undefined,
      reachable,
      excessBurstCapacity,
      mode: isProxied ? "proxy" : "serve",
      activity: activity.phase,
    },
    formula,
    ...(bounds.length === 0 ? {} : { bound: bounds.join("; ") }),
  };
}

/** A pod that a waiting request brought up is as good as a report of that request. */
function withActivation(before: ScaleMemory, situation: Situation): ScaleMemory {
  const { activation, activated, nowMs, pods } = situation;
  const isMore = activated > before.activated;
  if (activation === undefined || (activation === before.activation && !isMore))
    return activated === before.activated ? before : { ...before, activated };
  // Several mean a burst that was met before its windows have seen it: they stay as in a panic.
  const isBurst = isMore && pods > Math.max(1, before.applied);
  const panicPeak = Math.max(before.kpa.panicPeak, pods);
  const kpa = isBurst ? { ...before.kpa, panicSinceMs: nowMs, panicPeak } : before.kpa;
  const activity =
    before.activity.phase === "inactive" ? { phase: "active" as const, sinceMs: nowMs } : before.activity;
  const applied = Math.max(1, before.applied, isBurst ? pods : 0);
  return { ...before, kpa, activation, activated, activity, applied };
}

interface Least {
  readonly pods: number;
  readonly words: string;
}

function leastOf(spec: ScaleSpec, { activity }: ScaleMemory, { initialized, reachable }: Situation): Least {
  // A revision that no route sends requests to needs no minimum.
  const min = reachable ? spec.minScale : 0;
  // One whose start was given up is not started again without a request.
  if (!initialized && activity.phase !== "inactive" && spec.initialScale > min) {
    return { pods: spec.initialScale, words: `initial-scale ${String(spec.initialScale)} was not reached yet` };
  }
  return { pods: min, words: `min-scale ${String(min)}` };
}

function withinBounds(desired: number, min: Least, max: number): { readonly pods: number; readonly bound?: string } {
  const raised = Math.max(desired, min.pods);
  if (max > 0 && raised > max) return { pods: max, bound: `max-scale ${String(max)}` };
  return raised > desired ? { pods: raised, bound: min.words } : { pods: desired };
}

/** What a load is called in a decision. */
const inputNames: Readonly<Record<SignalName, string>> = {
  concurrency: "Concurrency",
  rps: "RequestsPerSecond",
  queue: "QueueDepth",
  cpu: "CpuPercent",
  memory: "MemoryMebibytes",
};

function loadInputs({ metric, more: signals }: ScaleSpec, { load, more }: Situation): Readonly<Record<string, number>> {
  const inputs: Record<string, number> = {};
  const add = (name: SignalName, { stable, panic }: Load): void => {
    inputs[`stable${inputNames[name]}`] = stable;
    // What a node measures is no burst's sign.
    if (!isResource(name)) inputs[`panic${inputNames[name]}`] = panic;
  };
  if (load !== undefined) add(metric, load);
  for (const [index, { name, target }] of signals.entries()) {
    const further = more?.[index];
    if (further !== undefined) add(name, further);
    inputs[`${name}Target`] = target;
  }
  return inputs;
}
