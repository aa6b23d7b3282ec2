// Buckets grow by a fifth: a quantile is right to within 20 %, from 0.1 ms to 17 minutes, in 90 numbers (360 bytes).
const growth = 1.2;
const firstMs = 0.1;
const bucketCount = 90;

/** Latencies, counted in buckets of growing width. */
export class Histogram {
  readonly #counts = new Uint32Array(bucketCount);
  #total = 0;
  #told: Uint32Array | undefined;

  get count(): number {
    return this.#total;
  }

  add(latencyMs: number): void {
    const bucket = latencyMs <= firstMs ? 0 : Math.ceil(Math.log(latencyMs / firstMs) / Math.log(growth));
    const index = Math.min(bucket, bucketCount - 1);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total++;
  }

  /** What was added since the last call: how many took at most so many milliseconds. Buckets with none are left out. */
  recent(): readonly (readonly [upToMs: number, count: number])[] {
    const pairs: (readonly [number, number])[] = [];
    this.#told ??= new Uint32Array(bucketCount);
    for (const [index, count] of this.#counts.entries()) {
      const added = count - (this.#told[index] ?? 0);
      if (added > 0) pairs.push([Math.round(firstMs * growth ** index * 1000) / 1000, added]);
    }
    this.#told.set(this.#counts);
    return pairs;
  }

  /** The latency that the share `quantile` (0 to 1) of all stays at or below; 0 when there is none. */
  quantileMs(quantile: number): number {
    if (this.#total === 0) return 0;
    const rank = Math.max(1, Math.ceil(quantile * this.#total));
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return firstMs * growth ** index;
    }
    return firstMs * growth ** (bucketCount - 1);
  }
}
