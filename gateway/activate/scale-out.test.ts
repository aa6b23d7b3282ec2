import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { ScaleOut } from "./scale-out.ts";

/** A revision with one pod and more requests than it shall get; each further pod takes `startMs`. */
function crowded(startMs: number) {
  const clock = new FakeClock();
  const caps: (number | undefined)[] = [];
  const growing = {
    rules: { perPod: 10, roomPerPod: 10, processorsPerPod: 1, podsMax: 5 },
    demand: 100,
    pods: 1,
    processors: 8,
    cap: (slots: number | undefined) => void caps.push(slots),
    addPod: async () => {
      await clock.sleep(startMs);
      growing.pods++;
    },
  };
  return { clock, caps, growing, scaleOut: new ScaleOut(growing, { clock, log: silentLog }) };
}

test("pods come one after the other, up to the most, and none has more than its share meanwhile", async () => {
  const { clock, caps, growing, scaleOut } = crowded(20);
  scaleOut.look();
  scaleOut.look();
  await clock.advance(60);
  expect(growing.pods).toBe(4);
  expect(caps).toEqual([20]);
  await clock.advance(1_000);
  expect(growing.pods).toBe(5);
  expect(caps.at(-1)).toBeUndefined();
  scaleOut.look();
  await clock.advance(1_000);
  expect(growing.pods).toBe(5);
});

test("a node that is slow to start one is left alone: it has no processor for more", async () => {
  const { clock, caps, growing, scaleOut } = crowded(400);
  scaleOut.look();
  await clock.advance(300);
  // Nobody waits for it longer than this.
  expect(caps).toEqual([20, undefined]);
  await clock.advance(3_900);
  scaleOut.look();
  expect(growing.pods).toBe(2);
  await clock.advance(400);
  scaleOut.look();
  await clock.advance(400);
  expect(growing.pods).toBe(3);
});

test("homes that have no further pod are asked again after a second", async () => {
  const { clock, growing, scaleOut } = crowded(1);
  let asked = 0;
  growing.addPod = () => {
    asked++;
    return Promise.reject(new Error("no room"));
  };
  for (let tenth = 0; tenth < 15; tenth++) {
    scaleOut.look();
    await clock.advance(100);
  }
  expect(asked).toBe(2);
});

test("whoever takes away what came for a burst has the last word for a minute", async () => {
  const { clock, growing, scaleOut } = crowded(20);
  scaleOut.look();
  await clock.advance(100);
  expect(growing.pods).toBe(5);
  growing.pods = 2;
  scaleOut.look();
  await clock.advance(59_000);
  scaleOut.look();
  await clock.advance(100);
  expect(growing.pods).toBe(2);
  await clock.advance(1_000);
  scaleOut.look();
  await clock.advance(100);
  expect(growing.pods).toBe(5);
});

test("no more come than there are processors for, unless requests find no room in fewer", async () => {
  const { clock, growing, scaleOut } = crowded(20);
  growing.processors = 2;
  growing.rules = { perPod: 10, roomPerPod: 100, processorsPerPod: 1, podsMax: 5 };
  scaleOut.look();
  await clock.advance(1_000);
  expect(growing.pods).toBe(2);
  growing.rules = { ...growing.rules, processorsPerPod: 0.7 };
  scaleOut.look();
  await clock.advance(1_000);
  expect(growing.pods, "each of which may use a part of one").toBe(3);
  growing.demand = 301;
  scaleOut.look();
  await clock.advance(1_000);
  expect(growing.pods).toBe(4);
});

test("as a crowd comes, each pod may have its share of it meanwhile, and those that are there are not idle", async () => {
  const { clock, caps, growing, scaleOut } = crowded(20);
  growing.processors = 2;
  growing.rules = { perPod: 10, roomPerPod: 1000, processorsPerPod: 1, podsMax: 5 };
  growing.demand = 11;
  scaleOut.look();
  growing.demand = 13;
  scaleOut.look();
  growing.demand = 400;
  scaleOut.look();
  expect(caps).toEqual([10, 200]);
  await clock.advance(20);
  expect(growing.pods).toBe(2);
  expect(caps).toEqual([10, 200, undefined]);
});
