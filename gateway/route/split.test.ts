import * as fc from "fast-check";
import { seededRandom } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { TrafficSplit } from "./split.ts";

test("each hundred requests are split exactly", () => {
  const shares = fc
    .array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 })
    .map((parts) => parts.map((part) => Math.max(1, Math.floor((part * 90) / parts.reduce((a, b) => a + b)))))
    .map((parts) => [...parts, 100 - parts.reduce((a, b) => a + b)])
    .filter((parts) => parts.every((part) => part >= 0));
  fc.assert(
    fc.property(shares, fc.integer(), (percents, seed) => {
      const split = new TrafficSplit(percents.map((percent, index) => ({ revision: `r${index}`, percent })));
      const random = seededRandom(seed);
      for (let hundred = 0; hundred < 3; hundred++) {
        const counts = percents.map(() => 0);
        for (let request = 0; request < 100; request++) counts[Number(split.next(random)!.slice(1))]!++;
        expect(counts).toEqual(percents);
      }
    }),
  );
});

test("a client that comes each second time does not meet one revision only", () => {
  const split = new TrafficSplit([
    { revision: "a", percent: 50 },
    { revision: "b", percent: 50 },
  ]);
  const random = seededRandom(1);
  const met = { a: 0, b: 0 };
  for (let request = 0; request < 1000; request++) {
    const revision = split.next(random) === "a" ? "a" : "b";
    if (request % 2 === 0) met[revision]++;
  }
  expect(Math.abs(met.a - met.b)).toBeLessThan(100);
});

test("one revision needs no chance, none has no answer", () => {
  const random = { ...seededRandom(1), below: () => expect.unreachable() };
  expect(new TrafficSplit([{ revision: "a", percent: 100 }]).next(random)).toBe("a");
  expect(new TrafficSplit([{ revision: "a", percent: 0 }]).next(random)).toBeUndefined();
  expect(new TrafficSplit([]).next(random)).toBeUndefined();
});
