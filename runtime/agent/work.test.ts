import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { Work } from "./work.ts";

function open() {
  const clock = new FakeClock();
  let wakes = 0;
  const work = new Work(clock, silentLog, () => wakes++);
  return { clock, work, wakes: () => wakes };
}

test("one job per key at a time; another key does not wait for it", async () => {
  const { work, clock } = open();
  const { promise, resolve } = Promise.withResolvers<void>();
  const ran: string[] = [];
  work.offer("a", () => (ran.push("a1"), promise));
  work.offer("a", async () => void ran.push("a2"));
  work.offer("b", async () => void ran.push("b1"));
  expect(ran).toEqual(["a1", "b1"]);
  resolve();
  await clock.advance(0);
  work.offer("a", async () => void ran.push("a3"));
  expect(ran).toEqual(["a1", "b1", "a3"]);
});

test("after a failure a key rests, longer each time up to its bound, and the loop is woken when it may go on", async () => {
  const { work, clock, wakes } = open();
  const startsMs: number[] = [];
  const fail = async (): Promise<never> => {
    startsMs.push(clock.nowMs());
    throw new Error("no");
  };
  for (let ms = 0; ms <= 10_000; ms += 250) {
    work.offer("a", fail, { retryMsMax: 1000 });
    await clock.advance(250);
  }
  expect(startsMs.slice(0, 6)).toEqual([0, 250, 750, 1750, 2750, 3750]);
  expect(wakes()).toBeGreaterThan(startsMs.length);
  await clock.advance(10_000);
  work.offer("a", async () => undefined);
  await clock.advance(0);
  work.offer("a", fail);
  await clock.advance(0);
  expect(startsMs.at(-1)).toBe(clock.nowMs());
});

test("closed, it takes nothing more and waits for what runs", async () => {
  const { work } = open();
  const { promise, resolve } = Promise.withResolvers<void>();
  let closed = false;
  work.offer("a", () => promise);
  const closing = work.close().then(() => (closed = true));
  work.offer("b", () => Promise.reject(new Error("must not run")));
  await Promise.resolve();
  expect(closed).toBe(false);
  resolve();
  await closing;
});
