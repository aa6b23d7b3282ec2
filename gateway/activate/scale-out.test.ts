import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { ScaleOut } from "./scale-out.ts";

/** A revision with one pod and more requests than it shall get; each further pod takes `startMs`. */
function crowded(startMs: number) {
  const clock = new FakeClock();
  const caps: (number | undefined)[] = [];
  const growing = {
    rules: { perPod: 10, podsMax: 5 },
    demand: 100,
    pods: 1,
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
  expect(caps).toEqual([10]);
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
  expect(caps).toEqual([10, undefined]);
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
