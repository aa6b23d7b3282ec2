import type { RateLimitRule } from "../route/policy.ts";

// Clients whose buckets are kept: about 100 bytes each. Beyond that the one that was seen longest ago starts afresh.
const bucketsMax = 50_000;

interface Bucket {
  tokens: number;
  filledMs: number;
}

/** One rate limit, as token buckets: one for each client, or one for all. */
export class RateLimiter {
  readonly #rule: RateLimitRule;
  readonly #bucketByKey = new Map<string, Bucket>();

  constructor(rule: RateLimitRule) {
    this.#rule = rule;
  }

  /**
   * Takes a request. @param gateways that share the limit: this one lets its part of it through, and at least one request at once
   * @returns 0 when it may pass, else how many milliseconds it would have to wait
   */
  take(client: string, nowMs: number, gateways = 1): number {
    const { requests, periodMs, per } = this.#rule;
    const burst = Math.max(1, this.#rule.burst / gateways);
    const key = per === "Client" ? client : "";
    const bucket = this.#bucketByKey.get(key) ?? { tokens: burst, filledMs: nowMs };
    const perMs = requests / periodMs / gateways;
    bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, nowMs - bucket.filledMs) * perMs);
    bucket.filledMs = nowMs;
    this.#keep(key, bucket);
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / perMs);
    bucket.tokens--;
    return 0;
  }

  /** The order of the map is that of use. */
  #keep(key: string, bucket: Bucket): void {
    this.#bucketByKey.delete(key);
    this.#bucketByKey.set(key, bucket);
    if (this.#bucketByKey.size <= bucketsMax) return;
    const [oldest] = this.#bucketByKey.keys();
    if (oldest !== undefined) this.#bucketByKey.delete(oldest);
  }
}
