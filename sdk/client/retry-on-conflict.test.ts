import { expect, test } from "vitest";
import { ApiFault } from "../api/fault.ts";
import { FakeClock } from "../internal/testing/clock.fake.ts";
import { seededRandom } from "../internal/testing/random.fake.ts";
import { backoffMs } from "./backoff.ts";
import { retryOnConflict } from "./retry-on-conflict.ts";

const conflict = new ApiFault("Conflict", "somebody else was first");

test.each([
  { name: "no conflict", faults: [], outcome: "done", calls: 1 },
  { name: "two conflicts", faults: [conflict, conflict], outcome: "done", calls: 3 },
  { name: "another fault", faults: [new ApiFault("NotFound", "gone")], outcome: "NotFound", calls: 1 },
  { name: "conflicts without end", faults: Array.from({ length: 9 }, () => conflict), outcome: "Conflict", calls: 5 },
])("retryOnConflict: $name", async ({ faults, outcome, calls }) => {
  const clock = new FakeClock();
  let called = 0;
  const update = async (): Promise<string> => {
    const fault = faults[called++];
    if (fault !== undefined) throw fault;
    return "done";
  };
  const result = retryOnConflict(update, { clock, random: seededRandom(1) }).catch((error: ApiFault) => error.code);
  await clock.advance(1_000);
  expect([await result, called]).toEqual([outcome, calls]);
});

test("backoff doubles, half of it by chance, up to a bound", () => {
  const bounds = { minMs: 100, maxMs: 1_000 };
  const random = seededRandom(7);
  for (const [failures, wholeMs] of [
    [1, 100],
    [2, 200],
    [3, 400],
    [4, 800],
    [5, 1_000],
    [1_000, 1_000],
  ] as const) {
    for (let draw = 0; draw < 50; draw++) {
      const ms = backoffMs(failures, bounds, random);
      expect(ms).toBeGreaterThanOrEqual(wholeMs / 2);
      expect(ms).toBeLessThanOrEqual(wholeMs);
    }
  }
});
