import { describe, expect, test } from "vitest";
import { testContext } from "./context.fixture.ts";
import { ioPoll, type Pollable } from "./io-poll.ts";
import { monotonicClock } from "./monotonic-clock.ts";
import { wallClock } from "./wall-clock.ts";

interface Clocks {
  now(): bigint;
  subscribeDuration(durationNs: bigint): Pollable;
  subscribeInstant(whenNs: bigint): Pollable;
}
interface Poll {
  readonly poll: (list: readonly Pollable[]) => Uint32Array | Promise<Uint32Array>;
}

function open(): {
  clock: ReturnType<typeof testContext>["clock"];
  context: ReturnType<typeof testContext>["context"];
  clocks: Clocks;
  poll: Poll["poll"];
} {
  const { context, clock } = testContext();
  const { poll } = ioPoll({ context }) as Poll;
  return { clock, context, clocks: monotonicClock({ context }) as Clocks, poll };
}

describe("poll", () => {
  test("returns at once with all that are ready", () => {
    const { clocks, poll } = open();
    const list = [clocks.subscribeDuration(0n), clocks.subscribeDuration(5_000_000n), clocks.subscribeInstant(0n)];
    expect(poll(list)).toEqual(Uint32Array.from([0, 2]));
  });

  test("waits for the first, and not for the others", async () => {
    const { clock, clocks, poll } = open();
    const polled = poll([clocks.subscribeDuration(50_000_000n), clocks.subscribeDuration(20_000_000n)]);
    await clock.advance(25);
    expect(await polled).toEqual(Uint32Array.from([1]));
  });

  test("traps on an empty list", () => {
    expect(() => open().poll([])).toThrow("empty list");
  });

  test("ends with its instance, so that a guest that is suspended leaves its stack", async () => {
    const { context, clocks, poll } = open();
    const polled = poll([clocks.subscribeDuration(10_000_000n)]);
    context.end();
    await expect(polled).rejects.toMatchObject({ code: "GUEST_FAILED" });
  });
});

test("clocks are coarse", async () => {
  const { clock, context, clocks } = open();
  await clock.advance(1.23456);
  expect(clocks.now()).toBe(1_200_000n);
  const { now } = wallClock({ context }) as {
    readonly now: () => { readonly seconds: bigint; readonly nanoseconds: number };
  };
  expect(now().nanoseconds % 1_000_000).toBe(0);
});
