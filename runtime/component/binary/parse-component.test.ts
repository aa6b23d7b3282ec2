import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { BinaryError, UnlinkedError } from "../leb128.ts";
import type { Definition } from "./component.ts";
import { parseComponent } from "./parse-component.ts";

const preamble = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const sectionOf = (id: number, entry: readonly number[]): Uint8Array =>
  Uint8Array.from([...preamble, id, entry.length + 1, 1, ...entry]);
const only = (bytes: Uint8Array): Definition | undefined => parseComponent(bytes).definitions[0];

test("a definition knows where it stands and how long it is", () => {
  expect(only(sectionOf(8, [0x0e, 0x05]))).toEqual({
    kind: "canon",
    canon: { op: "stream.new", type: 5 },
    offset: 11,
    bytes: 2,
  });
});

test.each([
  ["plain", [0x00, 0x01, 0x66]],
  ["plain, in its other form", [0x01, 0x01, 0x66]],
  ["with attributes", [0x02, 0x01, 0x66, 0x02, 0x01, 0x02, 0x2e, 0x31, 0x02, 0x01, 0x78]],
])("a name %s", (_, name) => {
  expect(only(sectionOf(10, [...name, 0x01, 0x07]))).toMatchObject({
    kind: "import",
    name: "f",
    description: { sort: "function", type: 7 },
  });
});

test("a type's index may take more than one byte, and is not taken for a code", () => {
  expect(only(sectionOf(7, [0x70, 0xf3, 0x00]))).toMatchObject({ type: { value: { kind: "list", element: 0x73 } } });
  expect(only(sectionOf(7, [0x70, 0x73]))).toMatchObject({ type: { value: { kind: "list", element: "string" } } });
});

describe("canonical definitions", () => {
  const parallel: readonly (readonly [code: number, name: string])[] = [
    [0x40, "thread.spawn-ref"],
    [0x41, "thread.spawn-indirect"],
    [0x42, "thread.available-parallelism"],
  ];
  test.each(parallel)("0x%i is %s, which is refused by its name", (code, name) => {
    const component = sectionOf(8, [code, 0x00, 0x00]);
    expect(() => only(component)).toThrow(`uses ${name}, which is not supported, at byte 0xb`);
    expect(() => only(component)).toThrow(UnlinkedError);
  });

  test.each([
    ["thread.yield", 0x0c],
    ["thread.suspend", 0x29],
    ["thread.suspend-then-resume", 0x2a],
    ["thread.yield-then-resume", 0x2b],
    ["thread.suspend-then-promote", 0x2c],
    ["thread.yield-then-promote", 0x2d],
  ])("%s lets others run, and may be told to stop", (op, code) => {
    expect(only(sectionOf(8, [code, 0x00]))).toMatchObject({ canon: { op, cancellable: false } });
    expect(only(sectionOf(8, [code, 0x01]))).toMatchObject({ canon: { op, cancellable: true } });
  });

  test("the old backpressure.set is still read", () => {
    expect(only(sectionOf(8, [0x08]))).toMatchObject({ canon: { op: "backpressure.set" } });
  });

  test.each([
    ["an unknown one", [0x7f]],
    ["a slot of 64 bits", [0x0a, 0x7e, 0x00]],
    ["an option twice", [0x1c, 0x02, 0x03, 0x00, 0x03, 0x00]],
    ["two encodings", [0x1c, 0x02, 0x00, 0x01]],
    ["an unknown option", [0x1c, 0x01, 0x09]],
    ["async that is neither yes nor no", [0x06, 0x02]],
  ])("%s is refused", (_, entry) => {
    expect(() => only(sectionOf(8, entry))).toThrow(BinaryError);
  });
});

describe("types", () => {
  test.each([
    ["an empty record", [0x72, 0x00]],
    ["a field twice, in another case", [0x72, 0x02, 0x01, 0x61, 0x7f, 0x01, 0x41, 0x7f]],
    ["a name that is not kebab case", [0x6d, 0x01, 0x09, ...Buffer.from("__proto__")]],
    ["33 flags", [0x6e, 0x21, ...Array.from({ length: 33 }, (_, at) => [0x02, 0x61, 0x30 + at]).flat()]],
    ["a list of the fixed length 0", [0x67, 0x7f, 0x00]],
    ["a case that refines another", [0x71, 0x01, 0x01, 0x61, 0x00, 0x01, 0x00]],
    ["a resource of 64 bits", [0x3f, 0x7e, 0x00]],
    ["a resource in an instance type", [0x42, 0x01, 0x01, 0x3f, 0x7f, 0x00]],
    ["an import of an instance type", [0x42, 0x01, 0x03, 0x00, 0x01, 0x61, 0x01, 0x00]],
    ["named results", [0x40, 0x00, 0x01, 0x01, 0x01, 0x61, 0x7f]],
    ["an unknown type", [0x62]],
  ])("%s is refused", (_, entry) => {
    expect(() => only(sectionOf(7, entry))).toThrow(BinaryError);
  });

  test("core types are read over, and counted", async () => {
    const bytes = await parse(`(component
      (core type (func (param i32 (ref null func)) (result i64)))
      (core type (sub (struct (field (mut i32)) (field (ref null any)))))
      (core type (array i8))
      (core rec (type (struct)) (type (func)))
      (core type (module
        (type $f (func))
        (alias outer 1 0 (type))
        (import "a" "f" (func (type $f)))
        (import "a" "t" (table 1 2 funcref))
        (import "a" "m" (memory 1))
        (import "a" "g" (global (mut i32)))
        (export "e" (func (type $f))))))`);
    const counts = parseComponent(bytes).definitions.map((one) => (one.kind === "core type" ? one.count : 0));
    expect(counts).toEqual([1, 1, 1, 2, 1]);
  });
});
