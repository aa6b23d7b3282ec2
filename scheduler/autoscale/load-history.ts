/** Load of one second. */
export interface LoadSample {
  readonly concurrency: number;
  readonly rps: number;
}

/** An hour: what `shallop explain --what-if` replays. 28 KiB for each revision that had a request within it. */
export const historySeconds = 3_600;
const secondMs = 1_000;

/** The load of the last hour, second by second. */
export class LoadHistory {
  #concurrency: Float32Array | undefined;
  #rps: Float32Array | undefined;
  #last = 0;

  record(nowMs: number, { concurrency, rps }: LoadSample): void {
    const second = Math.floor(nowMs / secondMs);
    if (this.#concurrency !== undefined && second - this.#last >= historySeconds) {
      // Nothing that was recorded is left.
      this.#concurrency = undefined;
      this.#rps = undefined;
    }
    if (this.#concurrency === undefined || this.#rps === undefined) {
      if (concurrency === 0 && rps === 0) return;
      this.#concurrency = new Float32Array(historySeconds);
      this.#rps = new Float32Array(historySeconds);
      this.#last = second - 1;
    }
    const at = Math.max(second, this.#last);
    for (let gap = this.#last + 1; gap <= at; gap++) {
      this.#concurrency[gap % historySeconds] = 0;
      this.#rps[gap % historySeconds] = 0;
    }
    this.#concurrency[at % historySeconds] = concurrency;
    this.#rps[at % historySeconds] = rps;
    this.#last = at;
  }

  /** The seconds up to now, the oldest first, from the first one with a request; empty when there was none. */
  samples(nowMs: number): readonly LoadSample[] {
    const { concurrency, rps } = { concurrency: this.#concurrency, rps: this.#rps };
    if (concurrency === undefined || rps === undefined) return [];
    const now = Math.floor(nowMs / secondMs);
    const samples: LoadSample[] = [];
    for (let second = now - historySeconds + 1; second <= now; second++) {
      const isKept = second <= this.#last && second > this.#last - historySeconds && second >= 0;
      const sample = isKept
        ? { concurrency: concurrency[second % historySeconds] ?? 0, rps: rps[second % historySeconds] ?? 0 }
        : { concurrency: 0, rps: 0 };
      if (samples.length > 0 || sample.concurrency > 0 || sample.rps > 0) samples.push(sample);
    }
    return samples;
  }
}
