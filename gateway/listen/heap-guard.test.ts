import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { HeapGuard } from "./heap-guard.ts";

test("first connections are not kept, then requests are not taken, and all is well again with room", async () => {
  const clock = new FakeClock();
  let used = 0.5;
  const guard = new HeapGuard(clock, () => used);
  const seen: string[] = [];
  for (const share of [0.5, 0.89, 0.9, 0.95, 0.99, 0.3]) {
    used = share;
    await clock.advance(1000);
    seen.push(guard.pressure);
  }
  expect(seen).toEqual(["none", "none", "close", "refuse", "refuse", "none"]);
  guard.close();
  used = 0.99;
  await clock.advance(5000);
  expect(guard.pressure).toBe("none");
});
