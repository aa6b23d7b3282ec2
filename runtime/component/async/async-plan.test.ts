import { parse } from "@bytecodealliance/jco";
import { expect, test } from "vitest";
import { planLinks } from "../link/plan-links.ts";
import { asyncComponent, callback, compose } from "../testing/async-component.ts";
import { AsyncPlan, isAsync } from "./async-plan.ts";

const host = `(import "h" (func $h async (result u32)))`;
const syncHost = `(import "h" (func $h (result u32)))`;
const body = `(func (export "f") (result i32) (i32.const 0))
  (func (export "f-cb") (param i32 i32 i32) (result i32) (i32.const 0))`;
const exports = { f: ["async", callback("f")] } as const;
const lowered = "(param i32) (result i32)";

async function blocks(text: string, waits = false): Promise<readonly boolean[]> {
  const { plan } = planLinks(await parse(text));
  return new AsyncPlan(plan, () => waits).blocks;
}

test.each([
  ["has no built-in that waits", { core: body, exports }, false],
  [
    "calls async functions async",
    { before: host, builtins: { h: ["lower (func $h) async (memory $memory)", lowered] }, core: body, exports },
    false,
  ],
  [
    "calls async functions as if they were not",
    { before: host, builtins: { h: ["lower (func $h)", "(result i32)"] }, core: body, exports },
    true,
  ],
  [
    "reads async",
    { before: "(type $s (stream))", builtins: { r: "stream.read $s async (memory $memory)" }, core: body, exports },
    false,
  ],
  [
    "reads, and waits",
    { before: "(type $s (stream))", builtins: { r: "stream.read $s (memory $memory)" }, core: body, exports },
    true,
  ],
  ["polls", { builtins: { p: "waitable-set.poll (memory $memory)" }, core: body, exports }, false],
  ["waits for a set", { builtins: { w: "waitable-set.wait (memory $memory)" }, core: body, exports }, true],
  ["yields within a call", { builtins: { y: "thread.yield" }, core: body, exports }, true],
  ["cancels async what has no stack", { builtins: { c: "subtask.cancel async" }, core: body, exports }, false],
  ["cancels, and waits", { builtins: { c: "subtask.cancel" }, core: body, exports }, true],
] as const)("a component that %s", async (_, component, wanted) => {
  expect(await blocks(asyncComponent(component))).toEqual([wanted]);
});

test("a function of the host that may wait needs a stack, one that may not does not", async () => {
  const text = asyncComponent({
    before: syncHost,
    builtins: { h: ["lower (func $h)", "(result i32)"] },
    core: body,
    exports,
  });
  expect(await blocks(text, false)).toEqual([false]);
  expect(await blocks(text, true)).toEqual([true]);
});

test("a stack below is reason for one above only if its caller has to wait", async () => {
  const inner = asyncComponent({
    builtins: { y: "thread.yield" },
    core: `(func (export "g") (result i32) (i32.const 0)) (func (export "s") (result i32) (i32.const 0))`,
    exports: { g: ["async (result u32)", ""], s: ["(result u32)", ""] },
  });
  const outer = (before: string, canon: string, type: string): string =>
    compose(
      [
        { name: "inner", text: inner },
        {
          name: "outer",
          text: asyncComponent({ before, builtins: { h: [canon, type] }, core: body, exports }),
          given: before.includes('"s"') ? `(with "s" (func $inner "s"))` : `(with "g" (func $inner "g"))`,
        },
      ],
      [["f", "outer"]],
    );
  const g = `(import "g" (func $h async (result u32)))`;
  const s = `(import "s" (func $h (result u32)))`;
  // The component itself, the inner one, the outer one.
  expect(await blocks(outer(g, "lower (func $h) async (memory $memory)", lowered))).toEqual([false, true, false]);
  expect(await blocks(outer(g, "lower (func $h)", "(result i32)"))).toEqual([false, true, true]);
  expect(await blocks(outer(s, "lower (func $h)", "(result i32)"))).toEqual([false, true, true]);
});

test("a component of the synchronous ABI is none of the asynchronous", async () => {
  const sync = `(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))`;
  expect(isAsync(planLinks(await parse(sync)).plan)).toBe(false);
  expect(isAsync(planLinks(await parse(asyncComponent({ core: body, exports }))).plan)).toBe(true);
});
