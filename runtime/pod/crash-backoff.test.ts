import { expect, test } from "vitest";
import { backoffResetMs, crashBackoffMs, nextCrashCount, pullBackoffMs, quickResetMs } from "./crash-backoff.ts";

test.each([
  [0, 0],
  [1, 0],
  [2, 10_000],
  [3, 20_000],
  [4, 40_000],
  [6, 160_000],
  [7, 300_000],
  [10_000, 300_000],
])("after %d crashes in a row the wait is %d ms", (crashes, waitMs) => {
  expect(crashBackoffMs(crashes)).toBe(waitMs);
});

test("a pod that asks for it is started again sooner: twice as late each time, up to a minute", () => {
  expect([1, 2, 3, 10, 11, 10_000].map((crashes) => crashBackoffMs(crashes, 100))).toEqual([
    ...[100, 200, 400, 51_200, 60_000, 60_000],
  ]);
  expect(nextCrashCount(7, quickResetMs - 1, 100)).toBe(8);
  expect(nextCrashCount(7, quickResetMs, 100)).toBe(1);
});

test("a refused pull waits from the first time on", () => {
  expect([1, 2, 3].map(pullBackoffMs)).toEqual([10_000, 20_000, 40_000]);
});

test("ten minutes of health make earlier crashes forgotten", () => {
  expect(nextCrashCount(7, backoffResetMs - 1)).toBe(8);
  expect(nextCrashCount(7, backoffResetMs)).toBe(1);
});
