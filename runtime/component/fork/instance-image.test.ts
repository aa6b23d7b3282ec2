import { parse } from "@bytecodealliance/jco";
import { beforeAll, describe, expect, test } from "vitest";
import { exposeState } from "../core-module/expose-state.ts";
import { copyMemory } from "./copied-image.ts";
import { ImageSources } from "./image-sources.ts";
import { captureInstances, type CapturedInstance } from "./instance-image.ts";

const wat = `(module
  (memory 1 3)
  (table 2 funcref)
  (global $a (mut i32) (i32.const 1))
  (global $b (mut i64) (i64.const -5))
  (global $c (mut f32) (f32.const -0))
  (global $d (mut f64) (f64.const 2.5))
  (global $e (mut externref) (ref.null extern))
  (global $f (mut funcref) (ref.func $sum))
  (type $pair (struct (field i32 i32)))
  (global $g (mut (ref null $pair)) (struct.new $pair (i32.const 3) (i32.const 4)))
  (global $h (mut i31ref) (ref.i31 (i32.const 5)))
  (global $fixed i32 (i32.const 9))
  (func (export "change") (param i32 externref)
    (global.set $a (local.get 0))
    (global.set $b (i64.extend_i32_s (local.get 0)))
    (global.set $c (f32.const 0))
    (global.set $d (f64.const nan))
    (global.set $e (local.get 1))
    (global.set $f (ref.null func))
    (global.set $g (struct.new $pair (i32.const 0) (i32.const 0)))
    (global.set $h (ref.null i31))
    (i32.store (i32.const 64) (local.get 0)))
  (func $sum (export "sum") (result i32) (i32.add (global.get $a) (i32.load (i32.const 64))))
  (func (export "grow") (drop (memory.grow (i32.const 1)))))`;

let module: ReturnType<typeof exposeState>;
beforeAll(async () => {
  module = exposeState(await parse(wat));
});

interface Program extends Record<string, unknown> {
  readonly change: (value: number, reference: unknown) => void;
  readonly sum: () => number;
  readonly grow: () => void;
}

function instantiate(): CapturedInstance & { readonly exports: Program } {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes));
  return { exports: exports as Program, state: module.state };
}

const valuesOf = ({ exports, state }: CapturedInstance): unknown[] =>
  state.globals.map((name) => (exports[name] as WebAssembly.Global).value);

describe("captureInstances", () => {
  test("puts back memories and every type of global, of several instances", () => {
    const instances = [instantiate(), instantiate(), instantiate()];
    const reference = { of: "the host" };
    instances[1]!.exports.change(40, reference);
    const before = instances.map(valuesOf);
    const sums = instances.map(({ exports }) => exports.sum());
    expect(sums).toEqual([1, 80, 1]);
    const image = captureInstances(instances);
    expect(image.byteLength).toBe(3 * 65536);
    for (let round = 0; round < 3; round++) {
      for (const { exports } of instances) exports.change(7 + round, "another");
      expect(instances.map(({ exports }) => exports.sum())).toEqual(Array(3).fill(14 + 2 * round));
      expect(image.restore()).toBe(true);
      expect(instances.map(valuesOf)).toEqual(before);
      expect(Object.is(valuesOf(instances[0]!)[2], -0)).toBe(true);
      expect(valuesOf(instances[1]!)[4]).toBe(reference);
      expect(instances.map(({ exports }) => exports.sum())).toEqual(sums);
    }
    image.dispose();
    expect(image.restore()).toBe(false);
  });

  test("a memory that has grown cannot be put back", () => {
    const instances = [instantiate(), instantiate()];
    const image = captureInstances(instances);
    instances[1]!.exports.grow();
    expect(image.restore()).toBe(false);
  });

  test("a table that has grown cannot be put back", () => {
    const instance = instantiate();
    const image = captureInstances([instance]);
    (instance.exports[module.state.tables[0]!] as { grow(by: number): void }).grow(1);
    expect(image.restore()).toBe(false);
  });

  test("refuses an instance that cannot be put back", () => {
    const instance = instantiate();
    const state = { ...instance.state, resettable: false, reason: "for a test" };
    expect(() => captureInstances([{ ...instance, state }])).toThrow(/for a test/);
    expect(() => captureInstances([{ exports: {}, state: instance.state }])).toThrow(TypeError);
  });

  describe("another", () => {
    const plain = `(module
      (memory 1 3)
      (table 2 funcref)
      (global $a (mut i32) (i32.const 1))
      (global $b (mut f64) (f64.const 1))
      (func (export "change") (param i32 f64)
        (global.set $a (local.get 0))
        (global.set $b (local.get 1)))
      (func (export "store") (param i32) (i32.store (i32.const 64) (local.get 0)))
      (func (export "load") (result i32) (i32.load (i32.const 64))))`;
    let exposed: ReturnType<typeof exposeState>;
    beforeAll(async () => {
      exposed = exposeState(await parse(plain));
    });
    interface Plain extends Record<string, unknown> {
      readonly change: (a: number, b: number) => void;
      readonly store: (value: number) => void;
      readonly load: () => number;
    }
    const make = (): CapturedInstance & { readonly exports: Plain } => {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(exposed.bytes));
      return { exports: exports as Plain, state: exposed.state };
    };

    test("instances that have come to the same state have its image, when the first is gone, too", () => {
      const first = make();
      first.exports.store(5);
      const sources = new ImageSources();
      const model = captureInstances([first], (memory) => sources.capture(memory));
      model.dispose();
      const second = make();
      const image = model.another([second]);
      expect(second.exports.load(), "its memory is what the first one's was").toBe(5);
      second.exports.store(6);
      second.exports.change(9, 9);
      expect(image?.restore()).toBe(true);
      expect(second.exports.load()).toBe(5);
      expect(valuesOf(second)).toEqual([1, 1]);
      sources.dispose();
    });

    test("those that have not are left as they are", () => {
      const model = captureInstances([make()]);
      const changed = make();
      changed.exports.store(7);
      changed.exports.change(2, 1);
      expect(model.another([changed])).toBeUndefined();
      expect(changed.exports.load()).toBe(7);
      const grown = make();
      (grown.exports[exposed.state.tables[0]!] as { grow(by: number): void }).grow(1);
      expect(model.another([grown])).toBeUndefined();
      const larger = make();
      (larger.exports[exposed.state.memories[0]!] as WebAssembly.Memory).grow(1);
      expect(model.another([larger])).toBeUndefined();
      expect(model.another([make(), make()])).toBeUndefined();
    });

    test("a NaN is like no other", () => {
      const [first, second] = [make(), make()];
      for (const { exports } of [first, second]) exports.change(1, Number.NaN);
      expect(captureInstances([first]).another([second])).toBeUndefined();
    });
  });

  test("frees what it captured when a later memory fails", () => {
    const instances = [instantiate(), instantiate()];
    let isDisposed = false;
    const capture = (memory: WebAssembly.Memory): ReturnType<typeof copyMemory> => {
      if (memory === instances[1]!.exports[module.state.memories[0]!]) throw new Error("no room");
      const image = copyMemory(memory);
      return Object.assign(image, { dispose: () => void (isDisposed = true) });
    };
    expect(() => captureInstances(instances, capture)).toThrow("no room");
    expect(isDisposed).toBe(true);
  });
});
