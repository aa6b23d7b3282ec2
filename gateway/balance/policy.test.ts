import { seededRandom } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import { type Candidate, firstFree, hashed, leastOfTwo, policyFor } from "./policy.ts";

const pods = (...outstanding: number[]): Candidate[] =>
  outstanding.map((count, index) => ({ id: `p${index}`, outstanding: count, slots: 3, weight: 1 }));
const random = { random: seededRandom(7), affinity: undefined };

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
    const load = Array.from({ length: 20 }, () => ({ id: "p", outstanding: 0, slots: 100_000, weight: 1 }));
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

describe("a pod that has just started", () => {
  test("gets its share of the share", () => {
    const load = [
      { id: "old", outstanding: 0, slots: 100_000, weight: 1 },
      { id: "new", outstanding: 0, slots: 100_000, weight: 0.1 },
    ];
    for (let request = 0; request < 1100; request++) load[leastOfTwo(load, random)]!.outstanding++;
    expect(load[1]!.outstanding).toBeGreaterThan(80);
    expect(load[1]!.outstanding).toBeLessThan(120);
  });
});

describe("hashed", () => {
  const load = (count: number) =>
    Array.from({ length: count }, (_none, index) => ({ id: `pod-${index}`, outstanding: 0, slots: 1000, weight: 1 }));
  const pickOf = (affinity: string | undefined) => ({ random: seededRandom(3), affinity });

  test("the same goes to the same, and keys spread over all pods", () => {
    const idle = load(10);
    const counts = new Map<number, number>();
    for (let key = 0; key < 5000; key++) {
      const index = hashed(idle, pickOf(`user-${key}`));
      expect(hashed(idle, pickOf(`user-${key}`))).toBe(index);
      counts.set(index, (counts.get(index) ?? 0) + 1);
    }
    expect(counts.size).toBe(10);
    expect(Math.min(...counts.values())).toBeGreaterThan(400);
    expect(Math.max(...counts.values())).toBeLessThan(600);
  });

  test("a pod that goes moves only what was its own", () => {
    const idle = load(10);
    const rest = idle.filter(({ id }) => id !== "pod-4");
    for (let key = 0; key < 1000; key++) {
      const before = idle[hashed(idle, pickOf(`user-${key}`))]!.id;
      const after = rest[hashed(rest, pickOf(`user-${key}`))]!.id;
      if (before !== "pod-4") expect(after).toBe(before);
    }
  });

  test("one key alone fills no pod beyond a quarter above the average, or its slots", () => {
    const busy = load(4);
    for (let request = 0; request < 400; request++) busy[hashed(busy, pickOf("everybody"))]!.outstanding++;
    expect(Math.max(...busy.map(({ outstanding }) => outstanding))).toBeLessThanOrEqual(126);
    const full = busy.map((pod) => ({ ...pod, slots: pod.outstanding }));
    expect(hashed(full, pickOf("everybody"))).toBe(-1);
    expect(hashed([...full, { id: "free", outstanding: 500, slots: 501, weight: 1 }], pickOf("x"))).toBe(4);
  });

  test("a request without a key goes where there is less to do", () => {
    expect(hashed(pods(2, 0), pickOf(undefined))).toBe(1);
  });
});
