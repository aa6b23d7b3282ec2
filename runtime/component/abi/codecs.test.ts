import { describe, expect, test } from "vitest";
import type { StringEncoding } from "../link/link-plan.ts";
import type { PrimitiveKind, ValueType } from "../link/value-type.ts";
import { CanonicalContext } from "./canonical-context.ts";
import type { Codec, CoreValue } from "./codec.ts";
import { CodecTable } from "./codec-table.ts";
import { chance, sampleResources, Samples } from "../testing/samples.ts";
import { ComponentState, GuestState } from "./component-state.ts";
import { FunctionCodec } from "./function-codec.ts";

function contextOf(encoding: StringEncoding): CanonicalContext {
  const memory = new WebAssembly.Memory({ initial: 16 });
  let top = 64;
  return new CanonicalContext({
    state: new ComponentState(new GuestState(), 0, 100),
    encoding,
    memory,
    realloc(_old, _oldBytes, alignment, byteLength) {
      const pointer = Math.ceil(top / alignment) * alignment;
      top = pointer + byteLength;
      return pointer;
    },
  });
}

const codecOf = (types: readonly ValueType[]): Codec =>
  new CodecTable({ types, resources: [] }).codec(types.length - 1);

describe("what is written is what is read", () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed))("types and values of seed %i", (seed) => {
    const below = chance(seed * 7919);
    const samples = new Samples(below);
    const { value, type } = samples.any(4);
    const codec = new CodecTable({ types: samples.types, resources: sampleResources }).codec(type);
    const encoding = (["utf8", "utf16", "latin1+utf16"] as const)[seed % 3] ?? "utf8";
    for (let round = 0; round < 10; round++) {
      const wanted = value();
      const context = contextOf(encoding);
      const pointer = context.allocate(codec.size, codec.alignment);
      codec.store(context, wanted, pointer);
      expect(codec.load(context, pointer)).toEqual(wanted);
      // More goes through memory only.
      if (codec.flat.length > 16) continue;
      const flat: CoreValue[] = [];
      codec.lower(context, wanted, flat);
      expect(flat).toHaveLength(codec.flat.length);
      for (const [index, core] of codec.flat.entries())
        expect(typeof flat[index]).toBe(core === "i64" ? "bigint" : "number");
      expect(codec.lift(context, flat, 0)).toEqual(wanted);
    }
  });
});

// CanonicalABI.md, "Alignment", "Element Size", "Flattening".
const layouts: { readonly name: string; readonly types: readonly ValueType[]; readonly is: unknown }[] = [
  {
    name: "record { u8, u64, u8 }",
    types: [{ kind: "u8" }, { kind: "u64" }, { kind: "tuple", items: [0, 1, 0] }],
    is: { size: 24, alignment: 8, flat: ["i32", "i64", "i32"] },
  },
  {
    name: "variant { f32, u64 }",
    types: [
      { kind: "f32" },
      { kind: "u64" },
      {
        kind: "variant",
        cases: [
          { name: "a", type: 0 },
          { name: "b", type: 1 },
        ],
      },
    ],
    is: { size: 16, alignment: 8, flat: ["i32", "i64"] },
  },
  {
    name: "variant { f32, u32 }",
    types: [
      { kind: "f32" },
      { kind: "u32" },
      {
        kind: "variant",
        cases: [
          { name: "a", type: 0 },
          { name: "b", type: 1 },
        ],
      },
    ],
    is: { size: 8, alignment: 4, flat: ["i32", "i32"] },
  },
  { name: "result", types: [{ kind: "result" }], is: { size: 1, alignment: 1, flat: ["i32"] } },
  {
    name: "option<u8>",
    types: [{ kind: "u8" }, { kind: "option", some: 0 }],
    is: { size: 2, alignment: 1, flat: ["i32", "i32"] },
  },
  {
    name: "an enum of 257",
    types: [{ kind: "enum", names: Array.from({ length: 257 }, (_, index) => `n${index}`) }],
    is: { size: 2, alignment: 2, flat: ["i32"] },
  },
  {
    name: "nine flags",
    types: [{ kind: "flags", names: "a b c d e f g h i".split(" ") }],
    is: { size: 2, alignment: 2, flat: ["i32"] },
  },
  {
    name: "eight flags",
    types: [{ kind: "flags", names: Array.from({ length: 8 }, (_, index) => `f${index}`) }],
    is: { size: 1, alignment: 1, flat: ["i32"] },
  },
  {
    name: "sixteen flags",
    types: [{ kind: "flags", names: Array.from({ length: 16 }, (_, index) => `f${index}`) }],
    is: { size: 2, alignment: 2, flat: ["i32"] },
  },
  {
    name: "seventeen flags",
    types: [{ kind: "flags", names: Array.from({ length: 17 }, (_, index) => `f${index}`) }],
    is: { size: 4, alignment: 4, flat: ["i32"] },
  },
  { name: "string", types: [{ kind: "string" }], is: { size: 8, alignment: 4, flat: ["i32", "i32"] } },
  {
    name: "list<u64, 3>",
    types: [{ kind: "u64" }, { kind: "list", element: 0, length: 3 }],
    is: { size: 24, alignment: 8, flat: ["i64", "i64", "i64"] },
  },
  {
    name: "the longest list<u8, N>, of which no function passes each byte as a core value",
    types: [{ kind: "u8" }, { kind: "list", element: 0, length: 2 ** 28 - 1 }],
    is: { size: 2 ** 28 - 1, alignment: 1, flat: Array.from({ length: 17 }, () => "i32") },
  },
];
test.each(layouts)("layout of $name", ({ types, is }) => {
  const { size, alignment, flat } = codecOf(types);
  expect({ size, alignment, flat }).toEqual(is);
});

// CanonicalABI.md, "lower_flat_variant": narrower values have zeros above them, floating-point numbers are their bits.
const beside: readonly {
  readonly kind: PrimitiveKind;
  readonly other: PrimitiveKind;
  readonly val: unknown;
  readonly core: CoreValue;
}[] = [
  { kind: "s32", other: "u64", val: -1, core: 0xffff_ffffn },
  { kind: "s8", other: "f64", val: -1, core: 0xffff_ffffn },
  { kind: "u32", other: "u64", val: 0xffff_ffff, core: 0xffff_ffffn },
  { kind: "f32", other: "u64", val: -1, core: 0xbf80_0000n },
  { kind: "f32", other: "f64", val: -1, core: 0xbf80_0000n },
  { kind: "f64", other: "s64", val: -1, core: -0x4010_0000_0000_0000n },
  { kind: "f32", other: "u32", val: -1, core: -0x4080_0000 },
  { kind: "u32", other: "f32", val: 0xffff_ffff, core: -1 },
];
test.each(beside)("a case of $kind beside one of $other is passed as $core", ({ kind, other, val, core }) => {
  const cases = [
    { name: "a", type: 0 },
    { name: "b", type: 1 },
  ];
  const codec = codecOf([{ kind }, { kind: other }, { kind: "variant", cases }]);
  const flat: CoreValue[] = [];
  codec.lower(contextOf("utf8"), { tag: "a", val }, flat);
  expect(flat).toEqual([0, core]);
  expect(codec.lift(contextOf("utf8"), flat, 0)).toEqual({ tag: "a", val });
});

const traps: { readonly name: string; readonly types: readonly ValueType[]; readonly flat: readonly CoreValue[] }[] = [
  { name: "a surrogate as a char", types: [{ kind: "char" }], flat: [0xd800] },
  { name: "a char beyond Unicode", types: [{ kind: "char" }], flat: [0x110000] },
  { name: "a string outside of the memory", types: [{ kind: "string" }], flat: [0, 2 ** 30] },
  { name: "a string that begins outside", types: [{ kind: "string" }], flat: [-1, 1] },
  { name: "a string longer than any may be", types: [{ kind: "string" }], flat: [0, -1] },
  { name: "a list that is not aligned", types: [{ kind: "u32" }, { kind: "list", element: 0 }], flat: [2, 1] },
  { name: "a list whose size overflows", types: [{ kind: "u64" }, { kind: "list", element: 0 }], flat: [0, 2 ** 29] },
  { name: "a case that there is not", types: [{ kind: "enum", names: ["a"] }], flat: [1] },
  { name: "a handle that there is not", types: [{ kind: "own", resource: 0 }], flat: [1] },
  { name: "the handle 0", types: [{ kind: "borrow", resource: 0 }], flat: [0] },
];
test.each(traps)("$name traps", ({ types, flat }) => {
  const resources = [{ kind: "host", interface: "a:b/c", name: "d" }] as const;
  const codec = new CodecTable({ types, resources }).codec(types.length - 1);
  const context = contextOf("utf8");
  expect(() => codec.lift(context, flat, 0)).toThrow(expect.objectContaining({ code: "GUEST_FAILED" }));
});

test.each([
  ["utf8", [0xff]],
  ["utf8", [0xed, 0xa0, 0x80]],
  ["utf16", [0x00, 0xd8]],
] as const)("a string that is no %s traps", (encoding, bytes) => {
  const context = contextOf(encoding);
  context.bytes.set(bytes, 0);
  const codec = codecOf([{ kind: "string" }]);
  const length = encoding === "utf16" ? bytes.length / 2 : bytes.length;
  expect(() => codec.lift(context, [0, length], 0)).toThrow(expect.objectContaining({ code: "GUEST_FAILED" }));
});

test("a lone surrogate of JavaScript becomes the replacement character", () => {
  const codec = codecOf([{ kind: "string" }]);
  for (const encoding of ["utf8", "utf16", "latin1+utf16"] as const) {
    const context = contextOf(encoding);
    const flat: CoreValue[] = [];
    codec.lower(context, "a\ud800b", flat);
    expect(codec.lift(context, flat, 0)).toBe("a\ufffdb");
  }
});

test("numbers wrap as core values, and NaN is the canonical one", () => {
  const context = contextOf("utf8");
  expect(codecOf([{ kind: "u8" }]).lift(context, [0x1ff], 0)).toBe(0xff);
  expect(codecOf([{ kind: "s8" }]).lift(context, [0x80], 0)).toBe(-128);
  expect(codecOf([{ kind: "bool" }]).lift(context, [2], 0)).toBe(true);
  expect(codecOf([{ kind: "u64" }]).lift(context, [-1n], 0)).toBe(2n ** 64n - 1n);
  const nan = codecOf([{ kind: "f64" }]);
  context.view.setBigUint64(0, 0x7ff8_0000_dead_beefn, true);
  nan.store(context, nan.load(context, 0), 8);
  expect(context.view.getBigUint64(8, true)).toBe(0x7ff8_0000_0000_0000n);
});

test("a memory that grows is read where it is now", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const state = new ComponentState(new GuestState(), 0, 100);
  const context = new CanonicalContext({ state, encoding: "utf8", memory, realloc: undefined });
  expect(context.bytes.length).toBe(65_536);
  memory.grow(1);
  expect(context.bytes.length).toBe(131_072);
  expect(() => context.allocate(1, 1)).toThrow(expect.objectContaining({ code: "GUEST_FAILED" }));
});

// A megabyte of memory, passed over and over: what a call may come to has a bound.
describe("what is passed in one call", () => {
  const types: readonly ValueType[] = [
    { kind: "u8" },
    { kind: "list", element: 0 },
    { kind: "list", element: 1 },
    { kind: "bool" },
    { kind: "list", element: 3 },
    { kind: "list", element: 4 },
    { kind: "string" },
    { kind: "list", element: 6 },
    { kind: "list", element: 3, length: 1_040_000 },
    { kind: "list", element: 8 },
  ];
  const table = new CodecTable({ types, resources: [] });
  const take = (type: number) => new FunctionCodec({ params: [{ name: "x", type }], async: false }, table);

  /** `count` lists of the same `length` elements. */
  function repeated(count: number, length: number): CanonicalContext {
    const context = contextOf("utf8");
    for (let index = 0; index < count; index++) {
      // Where nothing but zeros is.
      context.view.setUint32(index * 8, 100_000, true);
      context.view.setUint32(index * 8 + 4, length, true);
    }
    return context;
  }

  test("may be 64 MiB of numbers, in each call", () => {
    const context = repeated(1000, 65_000);
    for (let call = 0; call < 3; call++) expect(take(2).liftParams(context, [0, 1000])[0]).toHaveLength(1000);
  });

  test.each([
    { what: "lists of numbers that are one", type: 2, count: 1040, length: 65_000 },
    { what: "lists of other values, which are objects here", type: 5, count: 2, length: 600_000 },
    { what: "lists of a fixed length", type: 9, count: 1, length: 0 },
    { what: "strings that are one", type: 7, count: 1040, length: 65_000 },
  ])("and no more: $what", ({ type, count, length }) => {
    const context = repeated(count, length);
    expect(() => take(type).liftParams(context, [0, count])).toThrow(expect.objectContaining({ code: "GUEST_LIMIT" }));
  });
});
