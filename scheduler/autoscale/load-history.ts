import { signalNames, type SignalName } from "@shallop/sdk/api";
import type { LoadSample } from "./signals.ts";

/** An hour: what `shallop explain --what-if` replays. 14 KiB for each signal of a revision that showed any load within it. */
export const historySeconds = 3_600;
const secondMs = 1_000;
/** Of a second of which it is not known. */
const unknown = Number.NaN;

/** The load of the last hour, second by second. */
export class LoadHistory {
  /** A signal's seconds, made when it first has a load. */
  readonly #bySignal = new Map<SignalName, Float32Array>();
  #last = 0;

  record(nowMs: number, sample: LoadSample): void {
    const second = Math.floor(nowMs / secondMs);
    // Nothing that was recorded is left.
    if (second - this.#last >= historySeconds) this.#bySignal.clear();
    if (this.#bySignal.size === 0) {
      if (sample.concurrency === 0 && sample.rps === 0) return;
      this.#last = second - 1;
    }
    const at = Math.max(second, this.#last);
    for (const name of signalNames) {
      const values = this.#bySignal.get(name) ?? this.#begin(name, sample);
      if (values === undefined) continue;
      const silence = isAlwaysKnown(name) ? 0 : unknown;
      for (let gap = this.#last + 1; gap < at; gap++) values[gap % historySeconds] = silence;
      values[at % historySeconds] = sample[name] ?? silence;
    }
    this.#last = at;
  }

  /** The seconds up to now, the oldest first, from the first one with a request; empty when there was none. */
  samples(nowMs: number): readonly LoadSample[] {
    if (this.#bySignal.size === 0) return [];
    const now = Math.floor(nowMs / secondMs);
    const samples: LoadSample[] = [];
    for (let second = now - historySeconds + 1; second <= now; second++) {
      const isKept = second <= this.#last && second > this.#last - historySeconds && second >= 0;
      const sample = isKept ? this.#at(second % historySeconds) : { concurrency: 0, rps: 0 };
      if (samples.length > 0 || sample.concurrency > 0 || sample.rps > 0) samples.push(sample);
    }
    return samples;
  }

  #begin(name: SignalName, sample: LoadSample): Float32Array | undefined {
    if (!isAlwaysKnown(name) && (sample[name] ?? 0) === 0) return undefined;
    const values = new Float32Array(historySeconds).fill(isAlwaysKnown(name) ? 0 : unknown);
    this.#bySignal.set(name, values);
    return values;
  }

  #at(index: number): LoadSample {
    const sample: { -readonly [Name in SignalName]?: number } & { concurrency: number; rps: number } = {
      concurrency: 0,
      rps: 0,
    };
    for (const [name, values] of this.#bySignal) {
      const value = values[index] ?? unknown;
      if (!Number.isNaN(value)) sample[name] = value;
    }
    return sample;
  }
}

const isAlwaysKnown = (name: SignalName): boolean => name === "concurrency" || name === "rps";
