import * as fc from "fast-check";
import { expect, test } from "vitest";
import { WaitBudget, WaitQueue } from "./wait-queue.ts";

test("first in, first out, whoever leaves between; never more than there may be", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("push" as const), item: fc.integer({ min: 0, max: 20 }) }),
      fc.record({ kind: fc.constant("delete" as const), item: fc.integer({ min: 0, max: 20 }) }),
      fc.record({ kind: fc.constant("shift" as const), item: fc.constant(0) }),
    ),
  );
  fc.assert(
    fc.property(steps, (steps) => {
      const budget = new WaitBudget(4);
      const queue = new WaitQueue<number>(3, budget);
      let model: number[] = [];
      for (const { kind, item } of steps) {
        if (kind === "push" && !model.includes(item)) {
          const fits = model.length < 3;
          expect(queue.push(item)).toBe(fits);
          if (fits) model.push(item);
        } else if (kind === "delete") {
          expect(queue.delete(item)).toBe(model.includes(item));
          model = model.filter((other) => other !== item);
        } else if (kind === "shift") expect(queue.shift()).toBe(model.shift());
        expect([queue.length, budget.used]).toEqual([model.length, model.length]);
      }
    }),
  );
});

test("all queues together have a bound too", () => {
  const budget = new WaitBudget(2);
  const [a, b] = [new WaitQueue<string>(2, budget), new WaitQueue<string>(2, budget)];
  expect([a.push("1"), b.push("2"), b.push("3")]).toEqual([true, true, false]);
  a.shift();
  expect(b.push("3")).toBe(true);
});
