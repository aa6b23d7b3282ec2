import { format as nodeFormat } from "node:util";
import { expect, test } from "vitest";
import { format, inspect } from "./inspect.ts";
import { Request } from "./request.ts";
import { Response } from "./response.ts";

class Point {
  x = 1;
}
const circle: Record<string, unknown> = { a: 1 };
circle["self"] = circle;

// What Node prints in one line, we print alike.
const cases: readonly (readonly unknown[])[] = [
  [],
  ["a", "b", 1, null, undefined, true, 5n, -0],
  [1, "a"],
  [{ a: 1, "b-c": "x", d: { e: { f: { g: 1 } } } }],
  [[1, "two", [3, [4, [5]]]]],
  [[], {}],
  ["%s is %d years, %i, %f", "Ada", 36.5, "42.9", "1.5", "rest"],
  ["%j %%", { a: 1 }],
  ["100%", "x"],
  ["100%"],
  ["%s %s", "only one"],
  ["%s", { a: 1 }],
  ["%d", 5n],
  ["%c styled", "color: red"],
  ["%O", { a: { b: 1 } }],
  [new Map([["a", { b: 1 }]]), new Set([1, "x"])],
  [new Date(5), /a+/g],
  [Symbol("s"), { s: Symbol("s") }],
  [() => 1, { f: function named() {} }],
  [new Point(), [new Point()]],
  [Uint8Array.of(1, 2)],
  [{ text: "it's", other: 'say "hi"', both: `it's "x"`, lines: "a\nb" }],
  [Object.create(null)],
  [Array.from({ length: 3 }, () => undefined)],
];

test.each(cases.map((values) => [nodeFormat(...values), values] as const))("prints %s", (expected, values) => {
  expect(format(values)).toBe(expected);
});

test("what goes round is marked", () => {
  expect(inspect(circle)).toBe("{ a: 1, self: [Circular] }");
});

test("long lists are cut", () => {
  expect(inspect(Array.from({ length: 150 }, () => 0))).toMatch(/, \.\.\. 50 more items \]$/);
});

test("an error brings its stack and its cause, also where the stack has no title", () => {
  const error = new TypeError("outer", { cause: new Error("inner") });
  error.stack = "    at place (file:1:2)\n";
  expect(inspect(error)).toMatch(/^TypeError: outer\n {4}at place \(file:1:2\)\n\[cause\]: Error: inner\n {4}at /);
  expect(inspect({ error: new Error("x") })).toContain("Error: x\n");
});

test("of requests, answers and headers what they say is shown", () => {
  const response = new Response(null, { status: 201, headers: { "x-a": "1" } });
  expect(inspect(response)).toBe("Response { status: 201, statusText: '', headers: Headers { 'x-a': '1' }, url: '' }");
  expect(inspect(new Request("http://h/"))).toBe("Request { method: 'GET', url: 'http://h/', headers: Headers {} }");
});

test("an object may say what is shown of it", () => {
  expect(inspect({ [Symbol.for("nodejs.util.inspect.custom")]: () => "its own text" })).toBe("its own text");
});
