import { IdleTimes, type IdleTimesData } from "./idle-times.ts";

/** 5 KiB each with every minute in use. */
const functionsMax = 20_000;

/** Idle times of all functions, those that were used last kept. */
export class IdleBook {
  readonly #times = new Map<string, IdleTimes>();

  /** What is known of a function, `namespace/name`. */
  of(key: string): IdleTimes {
    const known = this.#times.get(key) ?? new IdleTimes();
    // In order of their last use, so that the first is the one to be forgotten.
    this.#times.delete(key);
    this.#times.set(key, known);
    for (const oldest of this.#times.keys()) {
      if (this.#times.size <= functionsMax) break;
      this.#times.delete(oldest);
    }
    return known;
  }

  toJSON(): Readonly<Record<string, IdleTimes>> {
    return Object.fromEntries([...this.#times].filter(([, times]) => times.total > 0));
  }

  /** Takes what `toJSON` gave; entries that are something else are left out. @throws Error when it is no object */
  restore(value: unknown): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("it is no object");
    for (const [key, data] of Object.entries(value).slice(-functionsMax))
      if (isIdleTimesData(data)) this.#times.set(key, IdleTimes.of(data));
  }
}

function isIdleTimesData(value: unknown): value is IdleTimesData {
  if (typeof value !== "object" || value === null || !("weights" in value) || !("atMs" in value)) return false;
  const { weights, atMs } = value;
  const isPair = (pair: unknown): boolean =>
    Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "number");
  return Number.isFinite(atMs) && Array.isArray(weights) && weights.every(isPair);
}
