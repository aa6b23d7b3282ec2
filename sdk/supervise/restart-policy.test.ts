import { expect, test } from "vitest";
import { afterDeath, freshRestartState, type RestartState } from "./restart-policy.ts";

test("waits double from 100 ms to 10 s while the program dies soon after each start", () => {
  const delays: number[] = [];
  let state: RestartState = freshRestartState;
  for (let death = 0; death < 9; death++) {
    const next = afterDeath(state, 1_000);
    delays.push(next.delayMs);
    state = next.state;
  }
  expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
});

test("a program that served for 10 s begins anew", () => {
  expect(afterDeath({ failures: 7 }, 10_000)).toEqual({ state: { failures: 1 }, delayMs: 100 });
  expect(afterDeath({ failures: 7 }, 9_999).delayMs).toBe(10_000);
});
