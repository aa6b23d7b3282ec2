import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { idleMs, KeptForks } from "./kept-forks.ts";

const mebibyte = 2 ** 20;

function open(byteLength = mebibyte) {
  const clock = new FakeClock();
  const counts = { made: 0, dropped: 0 };
  const kept = new KeptForks<number>(() => counts.dropped++);
  /** As many requests at once. */
  const crowd = (count: number): void => {
    const forks = Array.from({ length: count }, () => kept.take() ?? ++counts.made);
    for (const fork of forks) if (kept.hasRoomFor(byteLength)) kept.keep(fork, clock);
  };
  return { clock, kept, counts, crowd };
}

test("a crowd leaves as many as it has needed, and the next one finds them", () => {
  const { kept, counts, crowd } = open();
  crowd(30);
  expect(kept.size).toBe(30);
  crowd(30);
  expect(counts).toEqual({ made: 30, dropped: 0 });
});

test("there is a bound to their number, and to their memory", () => {
  const small = open();
  small.crowd(500);
  expect(small.kept.size).toBe(64);
  const large = open(16 * mebibyte);
  large.crowd(500);
  expect(large.kept.size).toBe(8);
});

test("with fewer requests at once there are fewer, as many as these need", async () => {
  const { clock, kept, crowd } = open();
  crowd(40);
  for (let second = 0; second < 25; second++) {
    crowd(5);
    await clock.advance(1000);
  }
  expect(kept.size).toBe(5);
});

test("what nobody needs is given back, but for one", async () => {
  const { clock, kept, counts, crowd } = open();
  crowd(40);
  // The crowd itself was in the first stretch of time.
  await clock.advance(idleMs);
  expect(kept.size).toBeGreaterThan(30);
  await clock.advance(idleMs);
  expect(kept.size).toBe(1);
  expect(counts.dropped).toBe(39);
  await clock.advance(10 * idleMs);
  expect(kept.size).toBe(1);
  crowd(3);
  expect(kept.size).toBe(3);
  await clock.advance(3 * idleMs);
  expect(kept.size).toBe(1);
});
