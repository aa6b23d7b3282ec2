import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { PodUseMeter, type UsedThread } from "./pod-use.ts";

const answering = (cpuMs: number, memoryBytes: number): UsedThread => ({
  cpuMs: () => Promise.resolve(cpuMs),
  memoryBytes: () => Promise.resolve(memoryBytes),
});
const never = new Promise<number>(() => undefined);

test("what the threads of a pod have used adds up, and one that is at work is taken to be at work", async () => {
  const clock = new FakeClock();
  let processMs = 0;
  const meter = new PodUseMeter({ clock, processMs: () => processMs });
  const thread = { ...answering(30, 5) };
  expect(await meter.read(thread)).toEqual({ cpuMs: 30, memoryBytes: 5 });
  // Busy, and half of the time without a processor.
  thread.cpuMs = () => never;
  processMs += 450;
  await clock.advance(900);
  const read = meter.read(thread);
  await clock.advance(100);
  expect(await read).toEqual({ cpuMs: 30 + 450, memoryBytes: 5 });
  thread.cpuMs = () => Promise.resolve(500);
  expect(await meter.read(thread)).toEqual({ cpuMs: 500, memoryBytes: 5 });
  expect(await meter.read(answering(7, 3))).toEqual({ cpuMs: 507, memoryBytes: 3 });
});
