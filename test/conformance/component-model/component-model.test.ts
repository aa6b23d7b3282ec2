import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { differences } from "./differences.ts";
import { runScript } from "./script.ts";
import { readForms } from "./wast-text.ts";
import { comparable, formOf, valueOf } from "./wast-values.ts";

const reference = fileURLToPath(new URL("reference", import.meta.url));
const scripts = globSync("*/*.wast", { cwd: reference }).toSorted();
const different = new Set(differences.flatMap(({ at }) => at));
const ran: Record<string, number> = {};

test.each(scripts)("%s", async (script) => {
  const outcomes = await runScript(readFileSync(`${reference}/${script}`, "utf8"));
  for (const { command } of outcomes) ran[command] = (ran[command] ?? 0) + 1;
  const problems = outcomes.filter(({ problem }) => problem !== undefined);
  const unexpected = problems.filter(({ line }) => !different.has(`${script}:${line}`));
  expect(unexpected).toEqual([]);
  const expected = [...different].filter((at) => at.startsWith(`${script}:`));
  expect(problems.map(({ line }) => `${script}:${line}`)).toEqual(expected.toSorted(byLine));
});

const lineOf = (at: string): number => Number(at.slice(at.indexOf(":") + 1));
const byLine = (one: string, other: string): number => lineOf(one) - lineOf(other);

// Whatever order they ran in: nothing is left out because it is not understood.
afterAll(() => {
  expect(ran).toEqual({
    component: 444,
    assert_return: 389,
    assert_trap: 136,
    assert_invalid: 380,
    assert_malformed: 75,
    invoke: 1,
  });
});

describe("the text of scripts", () => {
  test("forms, with where they stand", () => {
    const forms = readForms(`;; a (comment)
      (one "a)\\"" (; (; in ;) each other ;) two)
      (three)`);
    expect(forms.map(({ text, line }) => [text.slice(0, 4), line])).toEqual([
      ["(one", 2],
      ["(thr", 3],
    ]);
    expect(forms[0]?.items).toEqual(["one", Buffer.from('a)"'), "two"]);
  });

  test("strings are bytes", () => {
    const [form] = readForms(String.raw`(s "\00\ff\u{1f370}\n\\é")`);
    expect(form?.items[1]).toEqual(Buffer.from([0, 0xff, ...Buffer.from("🍰\n\\é")]));
  });

  test.each(["(", ")", '(a "b)', "(; a"])("%s is none", (text) => {
    expect(() => readForms(text)).toThrow(SyntaxError);
  });

  test.each<readonly [string, unknown]>([
    ["(u32.const 0xff)", 255],
    ["(s64.const -9223372036854775808)", -(2n ** 63n)],
    ["(f32.const -0x1.8p+1)", -3],
    ["(f64.const nan:canonical)", Number.NaN],
    ["(f64.const -inf)", -Infinity],
    ['(record.const (field "a-b" u8.const 1) (field "c" (bool.const true)))', { aB: 1, c: true }],
    ['(variant.const "a" (char.const "x"))', { tag: "a", val: "x" }],
    ["(list.const (option.none) (option.some (u8.const 1)))", [undefined, 1]],
    ['(result.err (flags.const "f-1"))', { tag: "err", val: { f1: true } }],
  ])("the value %s", (text, value) => {
    expect(valueOf(formOf(readForms(text)[0]))).toEqual(value);
  });

  test("values are compared as scripts write them", () => {
    expect(
      comparable({ list: Uint8Array.of(1, 2), flag: false, set: true, none: { tag: "a", val: undefined } }),
    ).toEqual({
      list: [1, 2],
      set: true,
      none: { tag: "a" },
    });
  });
});
