import type { Random } from "../random.ts";

/** Chance from a seed (mulberry32): the same seed gives the same values in the same order. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  const pick = (alphabet: string, length: number): string =>
    Array.from({ length }, () => alphabet[below(alphabet.length)]).join("");
  return {
    below,
    suffix: (length) => pick("bcdfghjklmnpqrstvwxz2456789", length),
    token: (byteCount) => pick("abcdefghijklmnopqrstuvwxyz0123456789", byteCount),
    uuid: () => [8, 4, 4, 4, 12].map((length) => pick("0123456789abcdef", length)).join("-"),
  };
}
