/** Idle times are told apart by the minute up to four hours (Shahrad et al., "Serverless in the Wild", ATC '20, 4.2). */
export const idleMinutesMax = 240;
export const minuteMs = 60_000;
/** What a function did half a week ago says half as much as what it does now: weekends pass, new habits count. */
const halfLifeMs = 3.5 * 24 * 60 * minuteMs;
/** A weight below this is dust of long ago. */
const weightMin = 1e-6;

/** An idle time is from the end of the last request to the next one. */
export interface IdleTimesData {
  /** Pairs of a minute and its weight; minute `idleMinutesMax` stands for all that are longer. */
  readonly weights: readonly (readonly [minute: number, weight: number])[];
  /** Wall time at which the weights are what they are. */
  readonly atMs: number;
}

/** For how long a function was idle each time, the older ones fading. */
export class IdleTimes {
  readonly #weights = new Float64Array(idleMinutesMax + 1);
  #atMs = 0;

  /** @param data untrusted: what does not fit in it counts as not there */
  static of(data: IdleTimesData | undefined): IdleTimes {
    const times = new IdleTimes();
    if (data === undefined) return times;
    times.#atMs = data.atMs;
    for (const [minute, weight] of data.weights) {
      if (minute in times.#weights && Number.isFinite(weight) && weight > 0) times.#weights[minute] = weight;
    }
    return times;
  }

  record(idleMs: number, wallMs: number): void {
    this.#fade(wallMs);
    const minute = Math.min(Math.floor(idleMs / minuteMs), idleMinutesMax);
    this.#weights[minute] = this.weight(minute) + 1;
  }

  /** How many were that many minutes long; `idleMinutesMax`: as long or longer. */
  weight(minute: number): number {
    return this.#weights[minute] ?? 0;
  }

  get total(): number {
    return this.#weights.reduce((sum, weight) => sum + weight, 0);
  }

  toJSON(): IdleTimesData {
    const weights = [...this.#weights.entries()].filter(([, weight]) => weight > weightMin);
    return { weights, atMs: this.#atMs };
  }

  #fade(wallMs: number): void {
    const factor = 0.5 ** (Math.max(0, wallMs - this.#atMs) / halfLifeMs);
    // A wall clock that was set back fades nothing.
    this.#atMs = Math.max(wallMs, this.#atMs);
    if (factor === 1) return;
    for (const [minute, weight] of this.#weights.entries()) this.#weights[minute] = weight * factor;
  }
}
