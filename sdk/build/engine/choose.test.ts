import { expect, test } from "vitest";
import { byStart, type EngineMeasure } from "./choose.ts";

const measure = (startMs: number, sizeBytes: number): EngineMeasure => ({ engine: "quickjs", startMs, sizeBytes });

test.each([
  { name: "the sooner start", best: measure(1, 9), other: measure(2, 1) },
  { name: "fewer bytes where the start is the same", best: measure(1, 1), other: measure(1, 2) },
])("the engine with $name is better", ({ best, other }) => {
  expect([other, best].sort(byStart)[0]).toBe(best);
  expect([best, other].sort(byStart)[0]).toBe(best);
});
