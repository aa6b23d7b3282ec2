import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { BinaryError } from "../leb128.ts";
import { exposeState } from "./expose-state.ts";
import { sectionsOf } from "./sections.ts";

const exposed = async (wat: string): Promise<ReturnType<typeof exposeState>> => exposeState(await parse(wat));

const instantiate = (bytes: Uint8Array, imports: object = {}): Readonly<Record<string, unknown>> =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports;

describe("exposeState", () => {
  test("exports what the module defines, and not what it imports", async () => {
    const wat = `(module
      (import "h" "m" (memory 1)) (import "h" "t" (table 1 funcref))
      (import "h" "g" (global (mut i32))) (import "h" "c" (global i64)) (import "h" "f" (func))
      (memory $own 2) (memory 3 4) (table 5 externref)
      (global i32 (i32.const 1)) (global (mut i32) (i32.const 42)) (global (mut f64) (f64.const 1))
      (export "run" (func 0)))`;
    const { bytes, state } = await exposed(wat);
    expect(state).toEqual({
      memories: ["shallop:memory:0", "shallop:memory:1"],
      globals: ["shallop:global:1", "shallop:global:2"],
      tables: ["shallop:table:0"],
      resettable: true,
    });
    const exports = instantiate(bytes, {
      h: {
        m: new WebAssembly.Memory({ initial: 1 }),
        t: instantiate(await parse('(module (table (export "t") 1 funcref))'))["t"],
        g: new WebAssembly.Global({ value: "i32", mutable: true }, 0),
        c: 0n,
        f: () => undefined,
      },
    });
    expect(Object.keys(exports)).toEqual(["run", ...state.memories, ...state.globals, ...state.tables]);
    expect(state.memories.map((name) => (exports[name] as WebAssembly.Memory).buffer.byteLength / 65536)).toEqual([
      2, 3,
    ]);
    expect((exports["shallop:global:1"] as WebAssembly.Global).value).toBe(42);
    expect((exports["shallop:table:0"] as WebAssembly.Table).length).toBe(5);
  });

  test.each([
    { what: "nothing after", wat: "(module (memory 1) (global (mut i32) (i32.const 0)))" },
    {
      what: "a start function, elements, code and data after",
      wat: `(module (memory 1) (table 1 funcref) (tag)
      (func $f (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 1))) (start $f) (elem (i32.const 0) $f) (data (i32.const 0) "x") (data "y"))`,
    },
  ])("makes an export section where there is none: $what", async ({ wat }) => {
    const { bytes, state } = await exposed(wat);
    expect(state.resettable).toBe(true);
    const start = state.start === undefined ? [] : [state.start];
    expect(Object.keys(instantiate(bytes))).toEqual([...state.memories, ...state.globals, ...state.tables, ...start]);
  });

  test("exports the start function, for whoever instantiates the module to call", async () => {
    const { bytes, state } = await exposed(`(module (global $ran (export "ran") (mut i32) (i32.const 0))
      (func $f (global.set $ran (i32.add (global.get $ran) (i32.const 1)))) (start $f))`);
    const exports = instantiate(bytes);
    const ran = exports["ran"] as WebAssembly.Global;
    expect(ran.value).toBe(0);
    (exports[state.start ?? ""] as () => void)();
    expect(ran.value).toBe(1);
  });

  test("exports a start function that is imported", async () => {
    const { bytes, state } = await exposed('(module (import "host" "begin" (func $begin)) (start $begin))');
    let begun = 0;
    const exports = instantiate(bytes, { host: { begin: () => begun++ } });
    expect(begun).toBe(0);
    (exports[state.start ?? ""] as () => void)();
    expect(begun).toBe(1);
  });

  test("leaves a module without state as it is", async () => {
    const module = await parse('(module (func (export "f")))');
    expect(exposeState(module).bytes).toBe(module);
  });

  test("changes the export section alone", async () => {
    const module = await parse(
      '(module (memory 1) (global (mut i32) (i32.const 0)) (func $f (export "f") (result i32) (global.get 0)) (data (i32.const 0) "x"))',
    );
    const { bytes } = exposeState(module);
    const others = (binary: Uint8Array): string[] =>
      sectionsOf(binary)
        .filter(({ id }) => id !== 7)
        .map(({ start, end }) => Buffer.from(binary.subarray(start, end)).toString("hex"));
    expect(others(bytes)).toEqual(others(module));
  });

  test("takes names that the module does not use", async () => {
    const wat =
      '(module (memory (export "shallop:memory:0") 1) (global (export "shallop1:x") (mut i32) (i32.const 0)))';
    const first = await exposed(wat);
    expect(first.state.memories).toEqual(["shallop2:memory:0"]);
    const second = exposeState(first.bytes);
    expect(Object.keys(instantiate(second.bytes))).toHaveLength(6);
  });

  test("a module with too much state is left as it is", async () => {
    const module = await parse(`(module ${"(global (mut i32) (i32.const 0))".repeat(1001)})`);
    const { bytes, state } = exposeState(module);
    expect(bytes).toBe(module);
    expect(state).toMatchObject({ resettable: false, globals: [], reason: expect.stringContaining("1001") });
  });
});

const everything = `(memory 1) (table $t 4 funcref) (data $d "x") (elem $e func $f)
  (type $s (struct (field (mut i32)))) (type $a (array (mut i8))) (type $r (array (mut funcref)))`;

describe("resettable", () => {
  test.each([
    "(table.set $t (i32.const 0) (ref.null func))",
    "(drop (table.grow $t (ref.null func) (i32.const 1)))",
    "(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))",
    "(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1))",
    "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))",
    "(data.drop $d)",
    "(elem.drop $e)",
    "(struct.set $s 0 (struct.new_default $s) (i32.const 1))",
    "(array.set $a (array.new_default $a (i32.const 1)) (i32.const 0) (i32.const 1))",
    "(array.fill $a (array.new_default $a (i32.const 1)) (i32.const 0) (i32.const 1) (i32.const 1))",
    "(array.copy $a $a (array.new_default $a (i32.const 1)) (i32.const 0) (array.new_default $a (i32.const 1)) (i32.const 0) (i32.const 1))",
    "(array.init_data $a $d (array.new_default $a (i32.const 1)) (i32.const 0) (i32.const 0) (i32.const 1))",
    "(array.init_elem $r $e (array.new_default $r (i32.const 1)) (i32.const 0) (i32.const 0) (i32.const 1))",
    "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))",
    "(drop (memory.atomic.wait64 (i32.const 0) (i64.const 0) (i64.const 0)))",
  ])("no: %s", async (code) => {
    // Behind other code, in a block, in the second function.
    const wat = `(module ${everything} (func $f) (func (block (br_if 0 (i32.const 1)) (nop) ${code})))`;
    const { bytes, state } = await exposed(wat);
    expect(state.resettable).toBe(false);
    expect(state.reason).toMatch(/^its code /);
    expect(WebAssembly.validate(bytes)).toBe(true);
  });

  test.each([
    { what: "a global of type v128", wat: "(global (mut v128) (v128.const i64x2 0 0))", reason: /v128/ },
    { what: "a global of an exception", wat: "(global (mut exnref) (ref.null exn))", reason: /exception/ },
    { what: "a global of no exception", wat: "(global (mut nullexnref) (ref.null noexn))", reason: /exception/ },
    { what: "a shared memory", wat: "(memory 1 2 shared)", reason: /shared/ },
    { what: "an imported shared memory", wat: '(import "h" "m" (memory 1 2 shared))', reason: /shared/ },
  ])("no: $what", async ({ wat, reason }) => {
    const { bytes, state } = await exposed(`(module ${wat})`);
    expect(state.resettable).toBe(false);
    expect(state.reason).toMatch(reason);
    expect(WebAssembly.validate(bytes)).toBe(true);
  });

  test.each([
    `(memory 1) (data "x") (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)) (memory.fill (i32.const 0) (i32.const 1) (i32.const 1)))`,
    `(memory 1) (func (drop (memory.grow (i32.const 1))) (memory.copy (i32.const 0) (i32.const 1) (i32.const 1)))`,
    `(memory i64 1) (func (param i64) (i64.store offset=4294967296 (local.get 0) (i64.const -9223372036854775808)))`,
    `(memory 1) (memory $b 1) (func (drop (v128.load8_lane $b offset=300 3 (i32.const 0) (v128.const i64x2 38 38))))`,
    `(table 1 funcref) (func $f) (elem (i32.const 0) $f) (func (drop (table.get 0 (i32.const 0))) (call_indirect (i32.const 0)) (drop (table.size 0)))`,
    `(type $s (struct (field i32))) (global (mut (ref $s)) (struct.new $s (i32.const 38))) (global (mut i31ref) (ref.i31 (i32.const 38))) (func (drop (ref.test (ref $s) (global.get 0))))`,
    `(global v128 (v128.const i64x2 38 38)) (global (mut externref) (ref.null extern)) (global (mut i32) (i32.const 38))`,
    `(tag $t (param i32)) (func (block $b (result i32) (try_table (catch $t $b) (throw $t (i32.const 38))) (i32.const 1)) drop)`,
    `(type $f (func (param i32) (result i32))) (func $g (type $f) (return_call $g (local.get 0))) (func (param (ref null $f)) (local (ref null $f) i64 f64) (drop (call_ref $f (i32.const 38) (local.get 0))))`,
    `(func (param i32) (block (block (block (br_table 0 1 2 0 (local.get 0))))) (drop (select (result f32) (f32.const 38) (f32.const 0) (local.get 0))))`,
    `(func (result f64) (if (result f64) (i32.const 38) (then (f64.const 38)) (else (f64.const 0))) (drop (i32.trunc_sat_f64_s (f64.const 1))))`,
  ])("yes: %s", async (wat) => {
    const module = await parse(`(module ${wat})`);
    expect(WebAssembly.validate(module)).toBe(true);
    const { bytes, state } = exposeState(module);
    expect(state.reason).toBeUndefined();
    expect(state.resettable).toBe(true);
    expect(WebAssembly.validate(bytes)).toBe(true);
  });
});

describe("hostile bytes", () => {
  const wat = `(module ${everything} (global (mut i64) (i64.const 5)) (tag)
    (export "m" (memory 0)) (func $f (block (br_table 0 0 0 (i32.const 1))) (drop (v128.const i64x2 1 2))
    (try_table (catch_all 0)) (drop (br_on_cast 0 anyref (ref null $s) (ref.null any))) unreachable) (start $f))`;

  function attempt(bytes: Uint8Array): "read" | "refused" {
    try {
      exposeState(bytes);
      return "read";
    } catch (error) {
      if (error instanceof BinaryError) return "refused";
      throw error;
    }
  }

  test("cut short at every byte", async () => {
    const module = await parse(wat);
    expect(attempt(module)).toBe("read");
    for (let length = 0; length < module.length; length++) attempt(module.subarray(0, length));
    expect(attempt(module.subarray(0, 7))).toBe("refused");
    expect(attempt(module.subarray(0, module.length - 1))).toBe("refused");
  });

  test("every byte changed in many ways", async () => {
    const module = await parse(wat);
    for (let at = 0; at < module.length; at++) {
      for (const value of [0x00, 0x01, 0x0b, 0x0e, 0x1f, 0x63, 0x7f, 0x80, 0xfb, 0xfc, 0xfd, 0xff]) {
        const changed = Uint8Array.from(module);
        changed[at] = value;
        attempt(changed);
      }
    }
  });

  const code = (...body: readonly number[]): Uint8Array =>
    Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 10, body.length + 2, 1, body.length, ...body]);

  test.each([
    { what: "a table of four billion labels", bytes: code(0, 0x0e, 0xff, 0xff, 0xff, 0xff, 0x0f) },
    { what: "four billion locals' types", bytes: code(0xff, 0xff, 0xff, 0xff, 0x0f) },
    { what: "four billion catch clauses", bytes: code(0, 0x1f, 0x40, 0xff, 0xff, 0xff, 0xff, 0x0f) },
    { what: "a function without its end", bytes: code(0, 0x01) },
    { what: "a number without its end", bytes: code(0, 0x41, 0x80) },
    { what: "a component", bytes: Uint8Array.from([0, 0x61, 0x73, 0x6d, 13, 0, 1, 0]) },
    { what: "no bytes", bytes: new Uint8Array() },
  ])("refuses $what", ({ bytes }) => {
    expect(attempt(bytes)).toBe("refused");
  });

  test("an instruction that nobody knows makes it not resettable", () => {
    expect(exposeState(code(0, 0x27, 0x0b)).state).toMatchObject({
      resettable: false,
      reason: expect.stringContaining("0x27"),
    });
  });
});
