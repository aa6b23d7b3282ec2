import type { Random } from "@shallop/sdk/internal";
import type { PodCounts, RevisionScaler } from "../../../scheduler/autoscale/revision-scaler.ts";
import type { TracedFunction } from "./trace.ts";

export interface RunCosts {
  readonly requests: number;
  /** Requests that met no pod that was ready. */
  readonly cold: number;
  /** What each request waited for, in milliseconds. */
  readonly waitsMs: readonly number[];
  /** Time of all pods together, and of those at work, by one. */
  readonly podMs: number;
  readonly busyMs: number;
}

export interface RunOptions {
  readonly traced: TracedFunction;
  readonly scaler: RevisionScaler;
  readonly random: Random;
  /** From the wish for a pod to its first answer. */
  readonly coldStartMs: number;
  /** Requests that a pod takes at once. */
  readonly slots: number;
}

interface Pod {
  readonly readyAtMs: number;
  busy: number;
}

const secondMs = 1000;
const minuteMs = 60_000;
/** What is idle for so long is looked at each ten seconds only: nothing changes from one second to the next. */
const quietMs = 150_000;
const quietStepMs = 10_000;

/** Plays one function's requests against a scaler: the second's load in, pods out. Times are of the trace. */
export class FunctionRun {
  readonly #options: RunOptions;
  readonly #arrivals: readonly number[];
  readonly #endMs: number;
  readonly #waitsMs: number[] = [];
  #next = 0;
  #nowMs = 0;
  #pods: Pod[] = [];
  /** When the requests arrived that wait for a pod. */
  #queue: number[] = [];
  #ends: { readonly atMs: number; readonly pod: Pod }[] = [];
  #activation: string | undefined;
  #cold = 0;
  #podMs = 0;
  #busyMs = 0;
  #loadMs = 0;
  #lastBusyMs = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#arrivals = arrivalsOf(options.traced, options.random);
    this.#endMs = options.traced.counts.length * minuteMs;
  }

  run(): RunCosts {
    while (this.#nowMs < this.#endMs) {
      const isQuiet = this.#nowMs - this.#lastBusyMs > quietMs && this.#nowMs % quietStepMs === 0;
      const stepMs = isQuiet && !this.#comesBefore(this.#nowMs + quietStepMs) ? quietStepMs : secondMs;
      this.#pass(this.#nowMs + stepMs);
      this.#sample(stepMs);
    }
    const { length } = this.#waitsMs;
    return { requests: length, cold: this.#cold, waitsMs: this.#waitsMs, podMs: this.#podMs, busyMs: this.#busyMs };
  }

  #comesBefore(atMs: number): boolean {
    return (this.#arrivals[this.#next] ?? Number.POSITIVE_INFINITY) < atMs;
  }

  /** Everything that happens up to `untilMs`, in order. */
  #pass(untilMs: number): void {
    for (;;) {
      const arrivalMs = this.#arrivals[this.#next] ?? Number.POSITIVE_INFINITY;
      const endMs = this.#ends[0]?.atMs ?? Number.POSITIVE_INFINITY;
      const readyMs = this.#nextReady();
      const nextMs = Math.min(arrivalMs, endMs, readyMs);
      if (nextMs > untilMs) return this.#to(untilMs);
      this.#to(nextMs);
      if (nextMs === endMs) this.#ended();
      else if (nextMs === arrivalMs) this.#arrived();
      this.#assign();
    }
  }

  /** Time passes; what is there is paid for. */
  #to(atMs: number): void {
    const passedMs = atMs - this.#nowMs;
    const working = this.#ends.length;
    this.#podMs += passedMs * this.#pods.length;
    this.#busyMs += working > 0 ? passedMs * Math.ceil(working / this.#options.slots) : 0;
    this.#loadMs += passedMs * (working + this.#queue.length);
    this.#nowMs = atMs;
  }

  #nextReady(): number {
    if (this.#queue.length === 0) return Number.POSITIVE_INFINITY;
    const waits = this.#pods.filter(({ readyAtMs }) => readyAtMs > this.#nowMs).map(({ readyAtMs }) => readyAtMs);
    return Math.min(...waits, Number.POSITIVE_INFINITY);
  }

  #arrived(): void {
    this.#next++;
    if (!this.#pods.some(({ readyAtMs }) => readyAtMs <= this.#nowMs)) this.#cold++;
    this.#queue.push(this.#nowMs);
    if (this.#pods.length > 0) return;
    // The gateway asks a home node itself, and tells the autoscaler.
    this.#activation = String(this.#nowMs);
    this.#start();
    this.#options.scaler.record(this.#moment(), { concurrency: this.#queue.length, rps: this.#queue.length });
    this.#decide();
  }

  #ended(): void {
    const over = this.#ends.shift();
    if (over !== undefined) over.pod.busy--;
  }

  #assign(): void {
    const { slots, traced } = this.#options;
    while (this.#queue.length > 0) {
      const pod = this.#pods.find(({ readyAtMs, busy }) => readyAtMs <= this.#nowMs && busy < slots);
      if (pod === undefined) return;
      const arrivedMs = this.#queue.shift();
      if (arrivedMs === undefined) return;
      pod.busy++;
      this.#waitsMs.push(this.#nowMs - arrivedMs);
      // All last as long, so they end in the order in which they begin.
      this.#ends.push({ atMs: this.#nowMs + traced.durationMs, pod });
    }
  }

  #sample(stepMs: number): void {
    const { scaler } = this.#options;
    const concurrency = this.#loadMs / stepMs;
    this.#loadMs = 0;
    if (concurrency > 0) this.#lastBusyMs = this.#nowMs;
    if (concurrency > 0 || this.#pods.length > 0 || scaler.want > 0)
      scaler.record(this.#moment(), { concurrency, rps: 0 });
    if (this.#nowMs % (2 * secondMs) === 0) this.#decide();
  }

  #decide(): void {
    const { want } = this.#options.scaler.decide(this.#moment(), this.#counts());
    while (this.#pods.length < want) this.#start();
    // Idle ones go; those at work finish first.
    for (let index = this.#pods.length - 1; index >= 0 && this.#pods.length > want; index--)
      if (this.#pods[index]?.busy === 0) this.#pods.splice(index, 1);
    this.#assign();
  }

  #start(): void {
    this.#pods.push({ readyAtMs: this.#nowMs + this.#options.coldStartMs, busy: 0 });
  }

  #moment(): { readonly nowMs: number; readonly wallMs: number } {
    return { nowMs: this.#nowMs, wallMs: this.#nowMs };
  }

  #counts(): PodCounts {
    return {
      pods: this.#pods.length,
      ready: this.#pods.filter(({ readyAtMs }) => readyAtMs <= this.#nowMs).length,
      reachable: true,
      initialized: true,
      prepared: true,
      activation: this.#activation,
      activated: this.#activation === undefined ? 0 : 1,
      native: true,
    };
  }
}

/** A minute's requests come at any of its moments. */
function arrivalsOf({ counts }: TracedFunction, random: Random): readonly number[] {
  const arrivals: number[] = [];
  for (const [minute, count] of counts.entries()) {
    const within = Array.from({ length: count }, () => minute * minuteMs + random.below(minuteMs));
    arrivals.push(...within.sort((a, b) => a - b));
  }
  return arrivals;
}
