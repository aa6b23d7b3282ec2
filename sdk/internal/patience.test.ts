import { expect, test } from "vitest";
import { processCpuMs, whenOutOfTime } from "./patience.ts";
import { FakeClock } from "./testing/clock.fake.ts";

interface Case {
  readonly name: string;
  /** Of the processor, after so many milliseconds. */
  readonly usedMs: (nowMs: number) => number | undefined;
  readonly overMs: number;
}

const cases: Case[] = [
  { name: "that nobody can tell of: the wall counts", usedMs: () => undefined, overMs: 30_000 },
  { name: "that waits for something that does not come", usedMs: (nowMs) => Math.min(400, nowMs), overMs: 30_000 },
  { name: "that wakes up now and then", usedMs: (nowMs) => nowMs / 1000, overMs: 30_000 },
  { name: "that has a processor to itself, and does not come to its end", usedMs: (nowMs) => nowMs, overMs: 30_000 },
  { name: "that has half a processor", usedMs: (nowMs) => 200 + nowMs / 2, overMs: 60_000 },
  {
    name: "that has a fiftieth: it is at work, until nobody waits any more",
    usedMs: (nowMs) => nowMs / 50,
    overMs: 180_000,
  },
  {
    name: "that was starved, and then hangs",
    usedMs: (nowMs) => Math.min(55_000, nowMs) / 50,
    overMs: 70_000,
  },
];

test.each(cases)("one $name", async ({ usedMs, overMs }) => {
  const clock = new FakeClock();
  let atMs = 0;
  whenOutOfTime({ clock, timeoutMs: 30_000, usedMs: () => usedMs(clock.nowMs()) }, () => (atMs = clock.nowMs()));
  await clock.advance(1_000_000);
  expect(atMs).toBe(overMs);
});

test("one that is there in time is not given up", async () => {
  const clock = new FakeClock();
  let isOver = false;
  const timer = whenOutOfTime({ clock, timeoutMs: 30_000, usedMs: () => clock.nowMs() / 50 }, () => (isOver = true));
  await clock.advance(45_000);
  timer.cancel();
  await clock.advance(1_000_000);
  expect(isOver).toBe(false);
});

test.skipIf(process.platform !== "linux")("what a process has used is read, and of none there is nothing", () => {
  const beforeMs = processCpuMs(process.pid) ?? Number.NaN;
  expect(beforeMs).toBeGreaterThanOrEqual(0);
  // Until the kernel has counted some more.
  while (processCpuMs(process.pid) === beforeMs);
  expect(processCpuMs(2 ** 22 + 1)).toBeUndefined();
});
