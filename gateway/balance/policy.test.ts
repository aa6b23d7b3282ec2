import { seededRandom } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import { type Candidate, firstFree, leastOfTwo, policyFor } from "./policy.ts";

const pods = (...outstanding: number[]): Candidate[] => outstanding.map((count) => ({ outstanding: count, slots: 3 }));
const random = seededRandom(7);

describe("leastOfTwo", () => {
  const cases: { name: string; pods: Candidate[]; picks: number[] }[] = [
    { name: "none", pods: [], picks: [-1] },
    { name: "one", pods: pods(2), picks: [0] },
    { name: "one that is full", pods: pods(3), picks: [-1] },
    { name: "the one with fewer", pods: pods(2, 0), picks: [1] },
    { name: "the only one with room", pods: pods(3, 3, 2, 3), picks: [2] },
    { name: "all full", pods: pods(3, 3, 3), picks: [-1] },
  ];
  test.each(cases)("$name", ({ pods, picks }) => {
    for (let round = 0; round < 50; round++) expect(picks).toContain(leastOfTwo(pods, random));
  });

  test("never picks the fullest of three, and spreads over equals", () => {
    const counts = [0, 0, 0];
    for (let round = 0; round < 1000; round++) counts[leastOfTwo(pods(0, 2, 0), random)]!++;
    expect(counts[1]).toBe(0);
    expect(Math.min(counts[0]!, counts[2]!)).toBeGreaterThan(400);
  });

  test("keeps the load even: the fullest of 20 pods is near the mean after 10,000 requests", () => {
    const load = Array.from({ length: 20 }, () => ({ outstanding: 0, slots: 100_000 }));
    for (let request = 0; request < 10_000; request++) load[leastOfTwo(load, random)]!.outstanding++;
    expect(Math.max(...load.map(({ outstanding }) => outstanding))).toBeLessThan(510);
  });
});

test("firstFree fills the first pods first", () => {
  expect(firstFree(pods(3, 1, 0), random)).toBe(1);
  expect(firstFree(pods(3, 3), random)).toBe(-1);
});

test.each([
  [0, leastOfTwo],
  [1, firstFree],
  [3, firstFree],
  [4, leastOfTwo],
])("containerConcurrency %i", (concurrencyMax, policy) => {
  expect(policyFor(concurrencyMax)).toBe(policy);
});
