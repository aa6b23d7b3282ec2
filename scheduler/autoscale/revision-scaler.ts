import type { SignalName } from "@shallop/sdk/api";
import { rfc3339 } from "@shallop/sdk/internal";
import type { ScaleDecision } from "@shallop/sdk/wire";
import { decide, initialMemory, type ScaleMemory } from "./decide.ts";
import { withDecision } from "./history.ts";
import type { IdleTimes } from "./idle-times.ts";
import { type KeepWarm, keepWhileWorth, type WarmPlan, warmSpanAt } from "./keep-warm.ts";
import { LoadHistory } from "./load-history.ts";
import { LoadWindow } from "./load-window.ts";
import { isResource, type LoadSample } from "./signals.ts";
import type { ScaleSpec } from "./spec.ts";
import type { Load } from "./wish.ts";

/** A revision's pods as they are now. */
export interface PodCounts {
  /** All that are not on their way out. */
  readonly pods: number;
  readonly ready: number;
  readonly reachable: boolean;
  /** The initial scale has been reached once. */
  readonly initialized: boolean;
  /** Mark of the newest pod that an activation made. */
  readonly activation: string | undefined;
  /** Pods that activations made. */
  readonly activated: number;
  /** Some node has the image prepared. */
  readonly prepared: boolean;
  /** It has native pods, or would: their starts cost something. */
  readonly native: boolean;
}

const secondMs = 1000;

/** Both times of a moment: one for intervals, one for people. */
export interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
}

export interface ScalerStart {
  readonly nowMs: number;
  /** What is known of the function's idle times; the scaler adds to it. */
  readonly idle: IdleTimes;
  /** When an idle pod is kept, given what a cold start is worth. */
  readonly keepWarm?: (worthMs: number) => KeepWarm;
}

/** What one signal was like within the windows. */
interface SignalWindows {
  readonly name: SignalName;
  readonly stable: LoadWindow;
  readonly panic: LoadWindow;
}

/** The scale of one revision over time: its windows of load, what it remembers, and what it decided. */
export class RevisionScaler {
  readonly #spec: ScaleSpec;
  readonly #own: SignalWindows;
  readonly #more: readonly SignalWindows[];
  #memory: ScaleMemory;
  #decisions: readonly ScaleDecision[] = [];
  readonly #history = new LoadHistory();
  readonly #idle: IdleTimes;
  readonly #keepWarm: (worthMs: number) => KeepWarm;
  /** End of the last second with a request; undefined: there was none yet. */
  #busyMs: number | undefined;
  /** When to keep a pod in the present idle time. Made when it is first asked for. */
  #warmPlan: WarmPlan | undefined;

  constructor(spec: ScaleSpec, counts: PodCounts, { nowMs, idle, keepWarm = keepWhileWorth }: ScalerStart) {
    this.#spec = spec;
    this.#idle = idle;
    this.#keepWarm = keepWarm;
    const windowsOf = (name: SignalName): SignalWindows => ({
      name,
      stable: new LoadWindow(spec.stableWindowMs),
      panic: new LoadWindow(spec.panicWindowMs),
    });
    this.#own = windowsOf(spec.metric);
    this.#more = spec.more.map(({ name }) => windowsOf(name));
    this.#memory = initialMemory(spec, { ...counts, nowMs });
  }

  get spec(): ScaleSpec {
    return this.#spec;
  }

  /** It is scaled by what its pods use. */
  get needsUsage(): boolean {
    return isResource(this.#own.name) || this.#more.some(({ name }) => isResource(name));
  }

  /** Pods that were wanted last. */
  get want(): number {
    return this.#memory.applied;
  }

  get activity(): ScaleMemory["activity"] {
    return this.#memory.activity;
  }

  /** Nodes have made pods that were not taken into account yet. */
  isNews({ activation, activated }: PodCounts): boolean {
    const { activation: known, activated: count } = this.#memory;
    return activation !== undefined && (activation !== known || activated > count);
  }

  /** The newest last. */
  get decisions(): readonly ScaleDecision[] {
    return this.#decisions;
  }

  /** The load over the second that ends now. */
  record({ nowMs, wallMs }: Moment, load: LoadSample): void {
    if (load.concurrency > 0 || load.rps > 0) this.#busy(nowMs, wallMs);
    this.#history.record(nowMs, load);
    for (const { name, stable, panic } of [this.#own, ...this.#more]) {
      const value = load[name];
      if (value === undefined) continue;
      stable.record(nowMs, value);
      panic.record(nowMs, value);
    }
  }

  /** The load of the last hour, second by second, to replay it with other settings. */
  recorded(nowMs: number): readonly LoadSample[] {
    return this.#history.samples(nowMs);
  }

  /** Decides how many pods there shall be. */
  decide({ nowMs, wallMs }: Moment, counts: PodCounts): ScaleDecision {
    const { pods, ready, reachable, initialized, prepared, activation, activated } = counts;
    const load = this.#load(this.#own, nowMs);
    const warm = this.#warm(nowMs, counts);
    const outcome = decide(this.#spec, this.#memory, {
      nowMs,
      pods,
      ready,
      reachable,
      initialized,
      prepared,
      activation,
      activated,
      load,
      more: this.#more.map((windows) => this.#load(windows, nowMs)),
      warm,
    });
    this.#memory = outcome.memory;
    const decision: ScaleDecision = {
      at: rfc3339(wallMs),
      want: outcome.want,
      ready,
      inputs: outcome.inputs,
      formula: outcome.formula,
      ...(outcome.bound === undefined ? {} : { bound: outcome.bound }),
      repeated: 0,
    };
    this.#decisions = withDecision(this.#decisions, decision);
    return decision;
  }

  #busy(nowMs: number, wallMs: number): void {
    // Seconds next to each other are one time at work.
    if (this.#busyMs !== undefined && nowMs - this.#busyMs > 2 * secondMs)
      this.#idle.record(nowMs - this.#busyMs, wallMs);
    this.#busyMs = nowMs;
    this.#warmPlan = undefined;
  }

  /** Why a pod shall be there although nothing asks for one. */
  #warm(nowMs: number, { native, reachable }: PodCounts): string | undefined {
    const worthMs = native ? this.#spec.keepWarmWorthMs.native : this.#spec.keepWarmWorthMs.wasm;
    if (worthMs === 0 || !reachable || this.#busyMs === undefined) return undefined;
    this.#warmPlan ??= this.#keepWarm(worthMs)(this.#idle);
    return warmSpanAt(this.#warmPlan, nowMs - this.#busyMs)?.why;
  }

  /** Undefined: nothing was recorded within the window. */
  #load({ name, stable, panic }: SignalWindows, nowMs: number): Load | undefined {
    // Requests that nobody reports are none at the end of the window, and then nothing to decide on. Processors that nobody
    // reports may be busy.
    if (stable.isEmpty(isResource(name) ? nowMs + secondMs : nowMs)) return undefined;
    return { stable: this.#average(stable, nowMs), panic: this.#average(panic, nowMs) };
  }

  #average(window: LoadWindow, nowMs: number): number {
    return this.#spec.aggregation === "linear" ? window.average(nowMs) : window.weightedAverage(nowMs);
  }
}
