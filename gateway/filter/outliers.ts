import type { OutlierRule } from "../route/policy.ts";

interface Record {
  errors: number;
  ejections: number;
  ejectedUntilMs: number;
}

// Pods of one rule that are remembered; more than that have come and gone.
const podsMax = 10_000;
// Each time a pod is ejected again it stays away longer, up to this many times as long.
const ejectionFactorMax = 10;

/** Finds the pods that answer badly while others do not: circuit breaking, pod by pod. */
export class Outliers {
  readonly #rule: OutlierRule;
  readonly #records = new Map<string, Record>();

  constructor(rule: OutlierRule) {
    this.#rule = rule;
  }

  /**
   * A pod has answered with `status`. @returns for how many milliseconds it is to be left alone; undefined: it is not.
   * The last pod is never left alone, and no more than the rule's share of all.
   */
  judge(uid: string, status: number, now: { readonly nowMs: number; readonly usablePods: number }): number | undefined {
    const record = this.#records.get(uid) ?? { errors: 0, ejections: 0, ejectedUntilMs: 0 };
    if (status < 500) {
      if (record.errors > 0) record.errors = 0;
      return undefined;
    }
    record.errors++;
    this.#keep(uid, record);
    if (record.errors < this.#rule.consecutiveErrors || !this.#mayEject(now)) return undefined;
    record.errors = 0;
    record.ejections++;
    const durationMs = this.#rule.ejectionMs * Math.min(record.ejections, ejectionFactorMax);
    record.ejectedUntilMs = now.nowMs + durationMs;
    return durationMs;
  }

  #mayEject({ nowMs, usablePods }: { readonly nowMs: number; readonly usablePods: number }): boolean {
    const ejected = [...this.#records.values()].filter(({ ejectedUntilMs }) => ejectedUntilMs > nowMs).length;
    const allowed = Math.max(1, Math.floor(((usablePods + ejected) * this.#rule.maxEjectionPercent) / 100));
    return usablePods > 1 && this.#rule.maxEjectionPercent > 0 && ejected < allowed;
  }

  #keep(uid: string, record: Record): void {
    this.#records.set(uid, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > podsMax && oldest !== undefined) this.#records.delete(oldest);
  }
}
