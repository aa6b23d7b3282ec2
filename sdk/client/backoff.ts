import type { Random } from "../internal/random.ts";

export interface BackoffBounds {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait after `failures` failures in a row: twice as long each time, half of it random, so that clients that
 * lost the same server do not come back at the same moment. 100 ms and 10 s: 50–100, 100–200, 200–400 … 5000–10 000.
 */
export function backoffMs(failures: number, { minMs, maxMs }: BackoffBounds, random: Random): number {
  // 2^30 times any minimum is beyond any maximum, and still a number.
  const wholeMs = Math.min(maxMs, minMs * 2 ** Math.min(Math.max(0, failures - 1), 30));
  const halfMs = Math.floor(wholeMs / 2);
  return halfMs + random.below(wholeMs - halfMs + 1);
}
