import { expect, test } from "vitest";
import { budgetFor, mapsMaxUsual, shareBudget, ThreadBudget } from "./process-budget.ts";
import { freshSlots } from "./thread-protocol.ts";

test("with the mappings that Linux allows a process has all; with fewer it has less of everything", () => {
  expect(budgetFor(mapsMaxUsual)).toEqual({ memoriesMax: 4000, stacksMax: 8000, threadsMax: 200 });
  expect(budgetFor(1_000_000)).toEqual(budgetFor(mapsMaxUsual));
  const half = budgetFor(30_000);
  expect(half.memoriesMax).toBeGreaterThan(1000);
  expect(half.memoriesMax).toBeLessThan(2500);
  expect(half.stacksMax).toBeLessThan(5000);
  expect(budgetFor(100)).toEqual({ memoriesMax: 1, stacksMax: 1, threadsMax: 1 });
});

test("threads take from one budget, to the last, and what a thread held is free when it has gone", () => {
  const shared = shareBudget({ memoriesMax: 5, stacksMax: 2, threadsMax: 2 });
  const slots = freshSlots();
  const one = new ThreadBudget(shared, slots);
  const other = new ThreadBudget(shared, freshSlots());
  expect(one.take("memories", 3)).toBe(true);
  expect(other.take("memories", 3)).toBe(false);
  expect(other.take("memories", 2)).toBe(true);
  expect(other.take("memories")).toBe(false);
  expect([one.take("stacks"), one.take("stacks"), other.take("stacks")]).toEqual([true, true, false]);
  one.give("stacks");
  expect(other.take("stacks")).toBe(true);
  new ThreadBudget(shared, slots).giveBack();
  expect([other.used("memories"), other.used("stacks")]).toEqual([2, 1]);
});
