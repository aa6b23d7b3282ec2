import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { within } from "./within.ts";

const late = (): Error => new Error("late");

test("what is there in time is the result, and nothing is waited for any more", async () => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  expect(await within(Promise.resolve(1), { clock, timeoutMs: 10, signal, late })).toBe(1);
  await expect(within(Promise.reject(new Error("own")), { clock, timeoutMs: 10, signal, late })).rejects.toThrow("own");
  await clock.advance(100);
});

test("what takes longer, or is given up, is thrown", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const { signal } = stop;
  const never = new Promise<void>(() => undefined);
  const timedOut = expect(within(never, { clock, timeoutMs: 10, signal, late })).rejects.toThrow("late");
  await clock.advance(10);
  await timedOut;
  const givenUp = expect(within(never, { clock, timeoutMs: 10, signal, late })).rejects.toThrow("enough");
  stop.abort(new Error("enough"));
  await givenUp;
  await expect(within(never, { clock, timeoutMs: 10, signal, late })).rejects.toThrow("enough");
});
