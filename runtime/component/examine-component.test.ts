import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { componentsOf } from "./testing/invalid-components.ts";
import { examineComponent } from "./examine-component.ts";

/** Why a component is refused; undefined when it is not. */
async function refusalOf(text: string): Promise<string | undefined> {
  const { found } = await examineComponent(await parse(text));
  return found.isValid ? undefined : found.reason;
}

describe.each(Object.entries(componentsOf))("%s", (_, rows) => {
  test.each(rows.filter(({ refused }) => refused !== undefined))("refused: $what", async ({ text, refused = /^$/ }) => {
    const reason = await refusalOf(text);
    expect(reason).toMatch(refused);
    expect(reason).toMatch(/, at byte 0x[0-9a-f]+$/);
    expect(reason).not.toMatch(/\n/);
  });
  test.each(rows.filter(({ refused }) => refused === undefined))("valid: $what", async ({ text }) => {
    expect(await refusalOf(text)).toBeUndefined();
  });
});

// Each is another type than all others; what is given is of the type that is wanted, or it is not taken.
const types = [
  ...["bool", "s8", "u8", "s32", "u64", "f32", "f64", "char", "string"],
  ...["(list u8)", "(list string)", "(option u8)", "(option string)", "(tuple u8)", "(tuple u8 u8)", "(tuple u8 u16)"],
  ...["(result)", "(result u8)", "(result (error u8))", "(result u8 (error u8))", "(result u16 (error u8))"],
];
const named = [
  ...['(record (field "a" u8))', '(record (field "b" u8))', '(record (field "a" u16))'],
  ...['(record (field "a" u8) (field "b" u8))', '(flags "a")', '(flags "a" "b")', '(flags "b" "a")'],
  ...['(enum "a")', '(enum "a" "b")', '(enum "b" "a")', '(variant (case "a"))', '(variant (case "a" u8))'],
  ...['(variant (case "a" u16))', '(variant (case "b" u8))', '(variant (case "a" u8) (case "b"))'],
];

describe("a component that is given a function of one type for another", () => {
  const wanted = (type: string): string => `(import "f" (func (param "x" ${type}))) `;
  test.each(types)("is refused, unless both are %s", async (one) => {
    for (const other of types) {
      const text = `(component ${wanted(one)} (component $c ${wanted(other)}) (instance (instantiate $c (with "f" (func 0)))))`;
      const reason = await refusalOf(text);
      if (one === other) expect(reason).toBeUndefined();
      else expect(reason, `${one} for ${other}`).toMatch(/at byte 0x/);
    }
  });

  test.each(named)("is refused, unless both are %s by structure", async (one) => {
    for (const other of named) {
      // A type with names in it has to have one itself; which is no matter.
      const text = `(component
        (type $t ${one}) (import "t" (type $i (eq $t))) (import "f" (func $f (param "x" $i)))
        (component $c (type $t ${other}) (import "u" (type $i (eq $t))) (import "f" (func (param "x" $i))))
        (instance (instantiate $c (with "u" (type $i)) (with "f" (func $f)))))`;
      const reason = await refusalOf(text);
      if (one === other) expect(reason).toBeUndefined();
      else expect(reason, `${one} for ${other}`).toMatch(/at byte 0x/);
    }
  });
});

const coreTypes = [
  ...["(func)", "(func (param i32))", "(func (param i64))", "(func (param i32 i32))", "(func (result i32))"],
  ...["(func (param i32) (result i32))", "(func (result i64))", "(global i32)", "(global (mut i32))", "(global f64)"],
  ...["(memory 1)", "(memory 1 1)", "(table 1 funcref)", "(table 1 1 funcref)", "(table 1 externref)"],
];
/** What may stand for another thing: a bound may be given where none is asked for. */
const subtypes = new Set(["(memory 1 1) (memory 1)", "(table 1 1 funcref) (table 1 funcref)"]);

test.each(coreTypes)("a core module that imports %s is given that and nothing else", async (wanted) => {
  for (const given of coreTypes) {
    const text = `(component (core module $give ${definitionOf(given)})
      (core module $want (import "given" "thing" ${wanted}))
      (core instance $i (instantiate $give)) (core instance (instantiate $want (with "given" (instance $i)))))`;
    const reason = await refusalOf(text);
    if (given === wanted || subtypes.has(`${given} ${wanted}`)) expect(reason, given).toBeUndefined();
    else expect(reason, given).toMatch(/thing.*at byte 0x/);
  }
});

function definitionOf(type: string): string {
  const [, sort, rest = ""] = /^\((\w+) ?(.*)\)$/.exec(type) ?? [];
  if (sort === "func") return `(func (export "thing") ${rest} unreachable)`;
  if (sort !== "global") return `(${sort} (export "thing") ${rest})`;
  return `(global (export "thing") ${rest} (${/[if]\d\d/.exec(rest)?.[0]}.const 0))`;
}

test("what is wrong with the signature of a core function is named with the module's argument and both types", async () => {
  const text = `(component (core module $give (func (export "step") (result i64) unreachable))
    (core module $want (import "steps" "step" (func (param i32))))
    (core instance $i (instantiate $give)) (core instance (instantiate $want (with "steps" (instance $i)))))`;
  expect(await refusalOf(text)).toMatch(/`step`.*`steps`.*\(func \(param i32\)\).*\(func \(result i64\)\)/);
});

test("the world is told as WIT", async () => {
  const { found } = await examineComponent(
    await parse('(component (import "log" (func (param "line" string))) (import "wasi:io/poll@0.2.0" (instance)))'),
  );
  expect(found.isValid && found.wit).toContain("import log: func(line: string);");
});

test("what no WIT describes is valid nevertheless", async () => {
  const { found } = await examineComponent(await parse('(component (type $t u8) (export "byte" (type $t)))'));
  expect(found).toMatchObject({ isValid: true, wit: undefined });
});
