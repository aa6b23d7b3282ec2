import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { planLinks } from "./link/plan-links.ts";
import { untrueEntry, untrueImports } from "./wasi-types.ts";

const surfaceOf = async (body: string) => planLinks(await parse(`(component ${body})`)).surface;
const instance = (name: string, body: string): string => `(import "${name}" (instance ${body}))`;
/** The text format has no way to write these names, but as strings. */
const method = (name: string, type: string): string => `(export "[method]${name}" (func ${type}))`;

const fields = `(export "fields" (type $fields (sub resource)))`;
const error = `(import "wasi:io/error@0.2.3" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))`;
const streamError = (cases: string): string => `(alias outer 1 $error (type $e0)) (export "error" (type $e (eq $e0)))
  (type $se0 (variant ${cases})) (export "stream-error" (type $se (eq $se0)))
  (export "input-stream" (type $in (sub resource)))`;

const cases: readonly { readonly what: string; readonly body: string; readonly untrue: readonly string[] }[] = [
  {
    what: "what WASI has",
    body: instance("wasi:random/random@0.2.0", '(export "get-random-u64" (func (result u64)))'),
    untrue: [],
  },
  {
    what: "what came later than the version that it asks for",
    body: instance("wasi:cli/exit@0.2.0", '(export "exit-with-code" (func (param "status-code" u8)))'),
    untrue: [],
  },
  {
    what: "another name of a parameter",
    body: instance("wasi:random/random@0.2.0", '(export "get-random-bytes" (func (param "n" u64) (result (list u8))))'),
    untrue: [],
  },
  {
    what: "an interface that is not there: its name alone is unmet",
    body: instance("wasi:nn/graph@0.2.0", '(export "load" (func))'),
    untrue: [],
  },
  {
    what: "a function that is not there",
    body: instance("wasi:random/random@0.2.0", '(export "get-dice" (func (result u8)))'),
    untrue: ["wasi:random/random@0.2.0#get-dice (no such function)"],
  },
  {
    what: "what every JavaScript object has",
    body: instance("wasi:random/random@0.2.0", '(export "constructor" (func)) (export "to-string" (func))'),
    untrue: ["constructor", "to-string"].map((name) => `wasi:random/random@0.2.0#${name} (no such function)`),
  },
  {
    what: "a narrower parameter, and a wider result",
    body: instance(
      "wasi:random/random@0.2.3",
      '(export "get-random-bytes" (func (param "len" u32) (result (list u8)))) (export "get-random-u64" (func (result s64)))',
    ),
    untrue: ["get-random-bytes", "get-random-u64"].map((name) => `wasi:random/random@0.2.3#${name} (of another type)`),
  },
  {
    what: "a parameter too many, a result too few",
    body: instance(
      "wasi:clocks/monotonic-clock@0.2.0",
      '(export "now" (func (param "x" u8) (result u64))) (export "resolution" (func))',
    ),
    untrue: ["now", "resolution"].map((name) => `wasi:clocks/monotonic-clock@0.2.0#${name} (of another type)`),
  },
  {
    what: "methods of a resource",
    body: instance(
      "wasi:http/types@0.2.3",
      `${fields} ${method("fields.has", '(param "self" (borrow $fields)) (param "name" string) (result bool)')}
       ${method("fields.clone", '(param "self" (borrow $fields)) (result (own $fields))')}`,
    ),
    untrue: [],
  },
  {
    what: "a method that takes its resource away",
    body: instance(
      "wasi:http/types@0.2.3",
      `${fields} ${method("fields.entries", '(param "self" (borrow $fields)) (result (list (tuple string string)))')}`,
    ),
    untrue: ["wasi:http/types@0.2.3#[method]fields.entries (of another type)"],
  },
  {
    what: "a resource that is another interface's",
    body: instance("wasi:http/types@0.2.3", '(export "descriptor" (type (sub resource)))'),
    untrue: ["wasi:http/types@0.2.3#descriptor (no such resource)"],
  },
  {
    what: "a variant, case by case",
    body: `${error} ${instance(
      "wasi:io/streams@0.2.3",
      `${streamError('(case "last-operation-failed" (own $e)) (case "closed")')}
       ${method("input-stream.read", '(param "self" (borrow $in)) (param "len" u64) (result (result (list u8) (error $se)))')}`,
    )}`,
    untrue: [],
  },
  {
    what: "a variant with its cases the other way round",
    body: `${error} ${instance(
      "wasi:io/streams@0.2.3",
      `${streamError('(case "closed") (case "last-operation-failed" (own $e))')}
       ${method("input-stream.read", '(param "self" (borrow $in)) (param "len" u64) (result (result (list u8) (error $se)))')}`,
    )}`,
    untrue: ["wasi:io/streams@0.2.3#[method]input-stream.read (of another type)"],
  },
];

describe("the types of a component's imports are those of WASI's WIT", () => {
  test.each(cases)("$what", async ({ body, untrue }) => {
    expect(untrueImports(await surfaceOf(body))).toEqual(untrue);
  });
});

const run = (type: string): string => `(core module $m (func (export "run") (result i32) i32.const 0))
  (core instance $i (instantiate $m)) (func $run ${type} (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run))) (export "wasi:cli/run@0.2.0" (instance $r))`;
const entry = { interface: "wasi:cli/run@0.2.0", name: "run" };

describe("the function that is called", () => {
  test("is of WASI's type", async () => {
    expect(untrueEntry(await surfaceOf(run("(result (result))")), entry)).toBeUndefined();
  });
  test("or the component is refused", async () => {
    expect(untrueEntry(await surfaceOf(run("(result u32)")), entry)).toBe("wasi:cli/run@0.2.0#run (of another type)");
    const empty = '(instance $r) (export "wasi:cli/run@0.2.0" (instance $r))';
    expect(untrueEntry(await surfaceOf(empty), entry)).toBe("wasi:cli/run@0.2.0 is exported without run");
  });
});
