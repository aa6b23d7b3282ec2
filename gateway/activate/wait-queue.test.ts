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
      const queue = queueOf<number>(budget, "a", 3);
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
  const queue = queueOf<string>(budget, "a", 5);
  expect([queue.push("1"), queue.push("2"), queue.push("3")]).toEqual([true, true, false]);
  queue.shift();
  expect(queue.push("3")).toBe(true);
});

test("a full queue that sheds the oldest takes who comes", () => {
  const shed: string[] = [];
  const queue = queueOf<string>(new WaitBudget(10), "a", 2, { sheds: "oldest", shed });
  expect(["1", "2", "3", "4"].map((item) => queue.push(item))).toEqual([true, true, true, true]);
  expect(shed).toEqual(["1", "2"]);
  expect([queue.shift(), queue.shift(), queue.shift()]).toEqual(["3", "4", undefined]);
});

test("when all is full, the tenant with most gives up its newest for one with less, until they have the same", () => {
  const budget = new WaitBudget(10);
  const shed: string[] = [];
  const crowd = queueOf<string>(budget, "crowd", 100, { shed });
  const quiet = queueOf<string>(budget, "crowd", 100, { shed });
  const other = queueOf<string>(budget, "other", 100, { shed });
  quiet.push("q");
  for (let index = 0; index < 9; index++) crowd.push(`c${index}`);
  expect(crowd.push("c9")).toBe(false);
  expect(Array.from({ length: 8 }, (_none, index) => other.push(`o${index}`))).toEqual([
    ...Array.from({ length: 5 }, () => true),
    ...Array.from({ length: 3 }, () => false),
  ]);
  expect(shed).toEqual(["c8", "c7", "c6", "c5", "c4"]);
  // Within the tenant, too, the longest queue gives way.
  expect(quiet.push("q2")).toBe(true);
  expect(shed.at(-1)).toBe("c3");
  expect([crowd.length, quiet.length, other.length, budget.used]).toEqual([3, 2, 5, 10]);
});

test("whatever comes and goes, the count of the budget is that of the queues, and it is never over", () => {
  const steps = fc.array(fc.record({ queue: fc.nat(3), isPush: fc.boolean() }), { maxLength: 300 });
  fc.assert(
    fc.property(steps, fc.boolean(), (steps, oldest) => {
      const budget = new WaitBudget(6);
      const queues = ["a", "a", "b", "c"].map((tenant) =>
        queueOf<number>(budget, tenant, 5, { sheds: oldest ? "oldest" : "newest" }),
      );
      for (const [item, { queue, isPush }] of steps.entries()) {
        const one = queues[queue];
        if (isPush) one?.push(item);
        else one?.shift();
        expect(budget.used).toBe(queues.reduce((sum, { length }) => sum + length, 0));
        expect(budget.used).toBeLessThanOrEqual(6);
      }
    }),
  );
});

function queueOf<T>(
  budget: WaitBudget,
  tenant: string,
  depthMax: number,
  { sheds = "newest", shed = [] }: { readonly sheds?: "newest" | "oldest"; readonly shed?: T[] } = {},
): WaitQueue<T> {
  return new WaitQueue<T>({ tenant, rules: { depthMax, sheds }, budget, shed: (item) => void shed.push(item) });
}
