import { expect, test } from "vitest";
import { structuredClone as clone } from "./structured-clone.ts";

const values: [string, unknown][] = [
  ["primitives", [1, "a", true, null, undefined, 5n, Number.NaN]],
  ["objects", { a: { b: [1, { c: 2 }] } }],
  ["dates", new Date(5)],
  ["maps and sets", new Map([[{ k: 1 }, new Set([1, "x"])]])],
  ["regular expressions", /a+/giu],
  ["buffers", Uint8Array.of(1, 2, 3).buffer],
  ["views at their place", new Uint8Array([0, 1, 2, 3]).subarray(1, 3)],
  ["views of other kinds", new Float64Array([1.5, -2])],
];

test.each(values)("copies %s as Node does", (_, value) => {
  const copy = clone(value);
  expect(copy).toEqual(structuredClone(value));
  if (typeof value === "object") expect(copy).not.toBe(value);
});

test("keeps what is shared and what goes round", () => {
  const shared = { x: 1 };
  const value: Record<string, unknown> = { a: shared, b: shared };
  value["self"] = value;
  const copy = clone(value);
  expect(copy["self"]).toBe(copy);
  expect(copy["a"]).toBe(copy["b"]);
  expect(copy["a"]).not.toBe(shared);
});

test("copies errors with name, stack and cause, which stay out of sight", () => {
  const error = new RangeError("too much", { cause: { code: 5 } });
  const copy = clone(error);
  expect(copy).toBeInstanceOf(Error);
  expect([copy.name, copy.message, copy.stack, copy.cause]).toEqual([
    "RangeError",
    "too much",
    error.stack,
    { code: 5 },
  ]);
  expect(Object.keys(copy)).toEqual([]);
});

test("gives plain objects for instances", () => {
  class Point {
    x = 1;
  }
  expect(Object.getPrototypeOf(clone(new Point()))).toBe(Object.prototype);
});

test.each([
  ["functions", () => 1],
  ["symbols", Symbol("a")],
  ["functions inside", { a: [() => 1] }],
])("refuses %s", (_, value) => {
  expect(() => clone(value)).toThrow(expect.objectContaining({ name: "DataCloneError" }));
});
