import { assert } from "@shallop/sdk/internal";

// knative/serving pkg/autoscaler/metrics: BucketSize.
const bucketMs = 1000;
/** The average is cut after so many digits, so that sums of fractions do not ask for a pod more. */
const precision = 1e6;

/**
 * Values by the second over a sliding window (knative/serving pkg/autoscaler/aggregation/bucketing.go). A second that is
 * recorded twice keeps the later value; seconds between two records count as 0.
 */
export class LoadWindow {
  readonly #buckets: Float64Array;
  /** Seconds, counted from the clock's zero. Undefined: nothing was recorded. */
  #first: number | undefined;
  #last = 0;

  constructor(windowMs: number) {
    assert(windowMs >= bucketMs && windowMs % bucketMs === 0, "a window is whole seconds");
    this.#buckets = new Float64Array(windowMs / bucketMs);
  }

  record(nowMs: number, value: number): void {
    const second = Math.floor(nowMs / bucketMs);
    const size = this.#buckets.length;
    if (this.#first === undefined || second - this.#last >= size) {
      // Nothing that was recorded is in the window any more: the average begins anew.
      this.#buckets.fill(0);
      this.#first = second;
      this.#last = second;
    }
    // A clock does not run backwards; a record for a past second is one that waited, and counts now.
    const at = Math.max(second, this.#last);
    for (let gap = this.#last + 1; gap < at; gap++) this.#buckets[gap % size] = 0;
    this.#buckets[at % size] = value;
    this.#last = at;
  }

  /** Nothing was recorded for longer than the window. */
  isEmpty(nowMs: number): boolean {
    return this.#first === undefined || Math.floor(nowMs / bucketMs) - this.#last > this.#buckets.length;
  }

  /**
   * Sum of the window's seconds by the number of those that are valid: from the first record to the last one. Example:
   * 10, 20, 30 in the first three seconds of a window of 60: 20, not 1.
   */
  average(nowMs: number): number {
    const { silent, valid } = this.#valid(nowMs);
    if (valid <= 0 || silent >= this.#buckets.length) return 0;
    let sum = 0;
    for (let back = 0; back < valid; back++) sum += this.#at(this.#last - back);
    return Math.floor((sum / valid) * precision) / precision;
  }

  /**
   * Average in which a second weighs less the older it is: weight `c·(1−c)^age`, where `c` is such that the window holds
   * 99.99 % of all weight, and at least 0.2. Example with c = 0.6: 10, 10, 5, 5 (newest last) gives 5.544.
   */
  weightedAverage(nowMs: number): number {
    const { silent } = this.#valid(nowMs);
    if (this.#first === undefined || silent >= this.#buckets.length) return 0;
    const coefficient = smoothing(this.#buckets.length);
    let weight = coefficient * (1 - coefficient) ** silent;
    let sum = 0;
    for (let back = 0; back < this.#buckets.length - silent && this.#last - back >= this.#first; back++) {
      sum += this.#at(this.#last - back) * weight;
      weight *= 1 - coefficient;
    }
    return sum;
  }

  /** Seconds since the last record, and how many recorded ones are in the window. */
  #valid(nowMs: number): { readonly silent: number; readonly valid: number } {
    if (this.#first === undefined) return { silent: 0, valid: 0 };
    const silent = Math.max(0, Math.floor(nowMs / bucketMs) - this.#last);
    return { silent, valid: Math.min(this.#last - this.#first + 1, this.#buckets.length - silent) };
  }

  #at(second: number): number {
    return this.#buckets[second % this.#buckets.length] ?? 0;
  }
}

const smoothing = (buckets: number): number => Math.max(1 - (1 - 0.9999) ** (1 / buckets), 0.2);
