import { annotation } from "../../../sdk/api/index.ts";
import { seededRandom } from "../../../sdk/internal/testing/index.ts";
import { defaultConfig } from "../../../scheduler/autoscale/config.ts";
import { IdleTimes } from "../../../scheduler/autoscale/idle-times.ts";
import { hybridHistogram, type KeepWarm, keepNothing, keepWhileWorth } from "../../../scheduler/autoscale/keep-warm.ts";
import { RevisionScaler } from "../../../scheduler/autoscale/revision-scaler.ts";
import { parseSpec } from "../../../scheduler/autoscale/spec.ts";
import { FunctionRun } from "./function-run.ts";
import type { Trace, TracedFunction } from "./trace.ts";

/** A way to keep the last pod: settings of the autoscaler that runs in production, and what it does with idle time. */
export interface Contender {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly keepWarm: (worthMs: number) => KeepWarm;
}

const retention = "autoscaling.knative.dev/scale-to-zero-pod-retention-period";

export const contenders: readonly Contender[] = [
  { name: "KPA", annotations: {}, keepWarm: () => keepNothing },
  { name: "fixed, 10 minutes", annotations: { [retention]: "10m" }, keepWarm: () => keepNothing },
  { name: "hybrid histogram", annotations: {}, keepWarm: () => hybridHistogram },
  { name: "while worth it, 15 minutes", annotations: {}, keepWarm: keepWhileWorth },
  { name: "while worth it, 60 minutes", annotations: { [annotation.keepWarmWorth]: "60m" }, keepWarm: keepWhileWorth },
];

export interface Costs {
  readonly name: string;
  readonly requests: number;
  readonly cold: number;
  /** Memory times time: of pods at work, and of those that wait. */
  readonly busyGibHours: number;
  readonly idleGibHours: number;
  readonly meanWaitMs: number;
  readonly p99WaitMs: number;
}

export interface SimulationOptions {
  readonly coldStartMs: number;
  /** Requests that a pod takes at once. */
  readonly slots: number;
  readonly seed: number;
}

const gibHours = (memoryMib: number, ms: number): number => ((memoryMib / 1024) * ms) / 3_600_000;

/** Plays a trace with one contender. The same seed gives the same arrivals to each. */
export function simulate(trace: Trace, contender: Contender, options: SimulationOptions): Costs {
  const waits: number[] = [];
  let cold = 0;
  let busyGibHours = 0;
  let podGibHours = 0;
  for (const [index, traced] of trace.functions.entries()) {
    const costs = runOf(traced, contender, { ...options, seed: options.seed + index }).run();
    cold += costs.cold;
    // One by one: a spread of a million arguments is more than the stack holds.
    for (const waitMs of costs.waitsMs) waits.push(waitMs);
    busyGibHours += gibHours(traced.memoryMib, costs.busyMs);
    podGibHours += gibHours(traced.memoryMib, costs.podMs);
  }
  waits.sort((a, b) => a - b);
  return {
    name: contender.name,
    requests: waits.length,
    cold,
    busyGibHours,
    idleGibHours: podGibHours - busyGibHours,
    meanWaitMs: waits.reduce((sum, waitMs) => sum + waitMs, 0) / Math.max(1, waits.length),
    p99WaitMs: waits[Math.floor(waits.length * 0.99)] ?? 0,
  };
}

/** Who knows the future has each pod ready the moment that it is needed, and none else. */
export const clairvoyant = ({ requests, busyGibHours }: Costs): Costs => ({
  name: "clairvoyant",
  ...{ requests, cold: 0, busyGibHours, idleGibHours: 0, meanWaitMs: 0, p99WaitMs: 0 },
});

function runOf(
  traced: TracedFunction,
  contender: Contender,
  { coldStartMs, slots, seed }: SimulationOptions,
): FunctionRun {
  const spec = parseSpec(contender.annotations, slots, defaultConfig);
  const start = {
    pods: 0,
    ready: 0,
    reachable: true,
    initialized: true,
    activation: undefined,
    activated: 0,
    prepared: true,
    native: true,
  };
  const scaler = new RevisionScaler(spec, start, { nowMs: 0, idle: new IdleTimes(), keepWarm: contender.keepWarm });
  return new FunctionRun({ traced, scaler, random: seededRandom(seed), coldStartMs, slots });
}
