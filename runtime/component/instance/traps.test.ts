import { describe, expect, test } from "vitest";
import { FunctionCodec } from "../abi/function-codec.ts";
import { CodecTable } from "../abi/codec-table.ts";
import { guestOfText } from "../testing/guest.ts";

const failed = expect.objectContaining({ code: "GUEST_FAILED" });

interface Passing {
  /** As the text format writes it. */
  readonly type: string;
  /** Parameters of the core function, as many as the type has core values. */
  readonly core: string;
  /** What the guest passes. */
  readonly values: string;
  readonly encoding?: string;
  /** Bytes at 64, as the text format writes them. */
  readonly data?: string;
}

/** A guest whose `run` calls the host's `f` with core values of its choice. */
const passing = ({ type, core, values, encoding = "utf8", data = "" }: Passing): string => `(component
  (import "test:host/api" (instance $api
    (type $d ${type}) (export "t" (type $t (eq $d))) (export "f" (func (param "x" $t)))))
  (core module $Space (memory (export "memory") 1) (data (i32.const 64) "${data}"))
  (core instance $space (instantiate $Space))
  (core func $f (canon lower (func $api "f") (memory (core memory $space "memory")) string-encoding=${encoding}))
  (core module $Guest
    (import "host" "f" (func $f (param ${core})))
    (func (export "run") (call $f ${values})))
  (core instance $guest (instantiate $Guest (with "host" (instance (export "f" (func $f))))))
  (func (export "run") (canon lift (core func $guest "run"))))`;

const i32s = (...values: readonly number[]): string => values.map((value) => `(i32.const ${value})`).join(" ");

// What all of these end with has one code; the message says which rule it was, so here it is looked at.
const wrongValues: readonly (Passing & { readonly name: string; readonly because: RegExp })[] = [
  // test/values/numerics.wast: "invalid `char` bit pattern".
  { name: "a char that is a high surrogate", type: "char", core: "i32", values: i32s(0xd800), because: /scalar value/ },
  { name: "a char that is a low surrogate", type: "char", core: "i32", values: i32s(0xdfff), because: /scalar value/ },
  { name: "a char beyond Unicode", type: "char", core: "i32", values: i32s(0x110000), because: /scalar value/ },
  { name: "the char -1", type: "char", core: "i32", values: i32s(-1), because: /scalar value/ },
  // test/values/variants.wast: "invalid variant discriminant".
  {
    name: "a case beyond the last",
    type: `(variant (case "a") (case "b"))`,
    core: "i32",
    values: i32s(2),
    because: /is case 2/,
  },
  {
    name: "a case below zero",
    type: `(variant (case "a") (case "b"))`,
    core: "i32",
    values: i32s(-1),
    because: /is case/,
  },
  { name: "an enum beyond its names", type: `(enum "a" "b" "c")`, core: "i32", values: i32s(3), because: /is case 3/ },
  { name: "an option that is 2", type: "(option u8)", core: "i32 i32", values: i32s(2, 0), because: /is case 2/ },
  { name: "a result that is 2", type: "(result u8)", core: "i32 i32", values: i32s(2, 0), because: /is case 2/ },
  {
    name: "a case in memory that there is not",
    type: "(list (option u8))",
    core: "i32 i32",
    values: i32s(64, 2),
    data: "\\01\\05\\02\\05",
    because: /is case 2/,
  },
  {
    name: "a char in memory that is a surrogate",
    type: "(list char)",
    core: "i32 i32",
    values: i32s(64, 2),
    data: "a\\00\\00\\00\\00\\d8\\00\\00",
    because: /scalar value/,
  },
  // test/values/strings.wast.
  {
    name: "a string that is not UTF-8",
    type: "string",
    core: "i32 i32",
    values: i32s(64, 1),
    data: "\\ff",
    because: /not valid utf-8/,
  },
  {
    name: "UTF-8 that is cut short",
    type: "string",
    core: "i32 i32",
    values: i32s(64, 2),
    data: "\\e2\\82\\ac",
    because: /not valid utf-8/,
  },
  {
    name: "UTF-8 that is too long for what it says",
    type: "string",
    core: "i32 i32",
    values: i32s(64, 2),
    data: "\\c0\\80",
    because: /not valid utf-8/,
  },
  {
    name: "UTF-8 of a surrogate",
    type: "string",
    core: "i32 i32",
    values: i32s(64, 3),
    data: "\\ed\\a0\\80",
    because: /not valid utf-8/,
  },
  {
    name: "UTF-8 that is wrong after many letters",
    type: "string",
    core: "i32 i32",
    values: i32s(64, 31),
    data: `${"a".repeat(30)}\\80`,
    because: /not valid utf-8/,
  },
  {
    name: "UTF-16 with half of a pair",
    type: "string",
    core: "i32 i32",
    encoding: "utf16",
    values: i32s(64, 1),
    data: "\\00\\d8",
    because: /not valid utf-16/,
  },
  {
    name: "UTF-16 with a pair the wrong way round",
    type: "string",
    core: "i32 i32",
    encoding: "utf16",
    values: i32s(64, 2),
    data: "\\00\\dc\\00\\d8",
    because: /not valid utf-16/,
  },
  {
    name: "Latin-1 or UTF-16 with half of a pair",
    type: "string",
    core: "i32 i32",
    encoding: "latin1+utf16",
    values: `(i32.const 64) (i32.const 0x80000001)`,
    data: "\\00\\d8",
    because: /not valid utf-16/,
  },
  // test/values/alignment.wast: "unaligned pointer", "string content out-of-bounds".
  {
    name: "an empty UTF-16 string at an odd place",
    type: "string",
    core: "i32 i32",
    encoding: "utf16",
    values: i32s(1, 0),
    because: /multiple of 2/,
  },
  {
    name: "an empty Latin-1 string at an odd place",
    type: "string",
    core: "i32 i32",
    encoding: "latin1+utf16",
    values: i32s(1, 0),
    because: /multiple of 2/,
  },
  {
    name: "an empty string at an odd place, said to be UTF-16",
    type: "string",
    core: "i32 i32",
    encoding: "latin1+utf16",
    values: `(i32.const 1) (i32.const 0x80000000)`,
    because: /multiple of 2/,
  },
  {
    name: "a string that begins outside of the memory",
    type: "string",
    core: "i32 i32",
    values: `(i32.const 0x80000000) (i32.const 1)`,
    because: /not in the guest's memory/,
  },
  {
    name: "a string that ends outside of the memory",
    type: "string",
    core: "i32 i32",
    values: i32s(65_535, 2),
    because: /not in the guest's memory/,
  },
  {
    name: "an empty string outside of the memory",
    type: "string",
    core: "i32 i32",
    values: i32s(65_537, 0),
    because: /not in the guest's memory/,
  },
  {
    name: "UTF-16 that ends outside of the memory",
    type: "string",
    core: "i32 i32",
    encoding: "utf16",
    values: i32s(65_534, 2),
    because: /not in the guest's memory/,
  },
  // CanonicalABI.md, "MAX_STRING_BYTE_LENGTH", "MAX_LIST_BYTE_LENGTH": 2^28 - 1.
  { name: "a string of 2^28 bytes", type: "string", core: "i32 i32", values: i32s(0, 2 ** 28), because: /is the most/ },
  {
    name: "a UTF-16 string of 2^27 code units",
    type: "string",
    core: "i32 i32",
    encoding: "utf16",
    values: i32s(0, 2 ** 27),
    because: /is the most/,
  },
  {
    name: "a string whose length overflows 32 bits",
    type: "string",
    core: "i32 i32",
    encoding: "utf16",
    values: i32s(0, -1),
    because: /is the most/,
  },
  {
    name: "a list of 2^28 bytes",
    type: "(list u8)",
    core: "i32 i32",
    values: i32s(0, 2 ** 28),
    because: /is the most/,
  },
  {
    name: "a list whose size overflows 32 bits",
    type: "(list u64)",
    core: "i32 i32",
    values: i32s(0, 2 ** 29),
    because: /is the most/,
  },
  {
    name: "a list that is not aligned",
    type: "(list u32)",
    core: "i32 i32",
    values: i32s(2, 1),
    because: /multiple of 4/,
  },
  {
    name: "an empty list that is not aligned",
    type: "(list u64)",
    core: "i32 i32",
    values: i32s(4, 0),
    because: /multiple of 8/,
  },
  {
    name: "a list that ends outside of the memory",
    type: "(list u16)",
    core: "i32 i32",
    values: i32s(65_534, 2),
    because: /not in the guest's memory/,
  },
  {
    name: "a list in a list that ends outside of the memory",
    type: "(list (list u8))",
    core: "i32 i32",
    values: i32s(64, 1),
    data: "\\ff\\ff\\00\\00\\02\\00\\00\\00",
    because: /not in the guest's memory/,
  },
  // test/values/alignment.wast, `CallerArgptr`: more than 16 core values are passed through memory.
  {
    name: "arguments in memory that are not aligned",
    type: `(tuple ${"u32 ".repeat(17)})`,
    core: "i32",
    values: i32s(1),
    because: /multiple of 4/,
  },
  {
    name: "arguments in memory that end outside of it",
    type: `(tuple ${"u32 ".repeat(17)})`,
    core: "i32",
    values: i32s(65_536 - 64),
    because: /not in the guest's memory/,
  },
];

describe("a guest passes what is no value", () => {
  test.each(wrongValues)("$name", async ({ because, ...what }) => {
    let called = false;
    const guest = await guestOfText(passing(what), { host: { "test:host/api": { f: () => (called = true) } } });
    expect(() => guest.call("run")).toThrow(because);
    expect(() => guest.call("run")).toThrow(failed);
    expect(called).toBe(false);
  });

  // So that a row above does not fail for another reason than the one it names.
  const rightValues: readonly (Passing & { readonly is: unknown })[] = [
    { type: "char", core: "i32", values: i32s(0xd7ff), is: "\ud7ff" },
    { type: "char", core: "i32", values: i32s(0x10ffff), is: "\u{10ffff}" },
    { type: "string", core: "i32 i32", values: i32s(64, 3), data: "\\e2\\82\\ac", is: "€" },
    { type: "string", core: "i32 i32", encoding: "utf16", values: i32s(64, 2), data: "\\3d\\d8\\00\\de", is: "😀" },
    { type: "string", core: "i32 i32", encoding: "latin1+utf16", values: i32s(64, 1), data: "\\e4", is: "ä" },
    { type: "string", core: "i32 i32", values: i32s(65_536, 0), is: "" },
    { type: "(list u64)", core: "i32 i32", values: i32s(65_528, 1), is: BigUint64Array.of(0n) },
    { type: "(option u8)", core: "i32 i32", values: i32s(1, 0x107), is: 7 },
    {
      type: `(tuple ${"u32 ".repeat(17)})`,
      core: "i32",
      values: i32s(65_536 - 68),
      is: Array.from({ length: 17 }, () => 0),
    },
    // test/values/numerics.wast: what a type does not need of a core value is cut off.
    { type: "bool", core: "i32", values: i32s(2), is: true },
    { type: "s8", core: "i32", values: i32s(0xff), is: -1 },
    { type: "u16", core: "i32", values: i32s(0xff0001), is: 1 },
    { type: `(flags "a" "b")`, core: "i32", values: i32s(0xfd), is: { a: true, b: false } },
    // test/values/variants.wast: core values that cases share are as wide as the widest.
    {
      type: '(variant (case "a" f32) (case "b" u64))',
      core: "i32 i64",
      values: "(i32.const 0) (i64.const 0xfedcba983f800000)",
      is: { tag: "a", val: 1 },
    },
    {
      type: '(variant (case "a" u8) (case "b" u64))',
      core: "i32 i64",
      values: "(i32.const 0) (i64.const 0xffffffff00000107)",
      is: { tag: "a", val: 7 },
    },
    {
      type: '(variant (case "a" f32) (case "b" u32))',
      core: "i32 i32",
      values: "(i32.const 0) (i32.const 0x3f800000)",
      is: { tag: "a", val: 1 },
    },
  ];
  test.each(rightValues)("$type from $values is a value", async ({ is, ...what }) => {
    const got: unknown[] = [];
    const guest = await guestOfText(passing(what), {
      host: { "test:host/api": { f: (value: unknown) => void got.push(value) } },
    });
    guest.call("run");
    expect(got).toEqual([is]);
  });
});

interface Taking {
  readonly name: string;
  readonly type: string;
  readonly core: string;
  /** The body of `realloc`. */
  readonly realloc: string;
  readonly value: unknown;
  readonly because: RegExp;
}

const taking = ({ type, core, realloc }: Omit<Taking, "name" | "value" | "because">): string => `(component
  (import "test:host/api" (instance $api (export "mark" (func (param "n" u32)))))
  (core func $mark (canon lower (func $api "mark")))
  (type $R (resource (rep i32)))
  (core func $new (canon resource.new $R))
  (core func $drop (canon resource.drop $R))
  (core module $Guest
    (import "host" "mark" (func $mark (param i32)))
    (import "host" "new" (func $new (param i32) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) ${realloc})
    (func (export "take") (param ${core})))
  (core instance $guest (instantiate $Guest (with "host" (instance
    (export "mark" (func $mark)) (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "take") (param "x" ${type}) (canon lift (core func $guest "take")
    (memory (core memory $guest "memory")) (realloc (core func $guest "realloc")))))`;

const big = `(tuple ${"u32 ".repeat(17)})`;
const seventeen = Array.from({ length: 17 }, (_, index) => index);

// test/values/realloc.wast, alignment.wast; CanonicalABI.md, "canon lower": trap_if(not inst.may_leave).
const wrongSpace: readonly Taking[] = [
  {
    name: "outside of the memory",
    type: "string",
    core: "i32 i32",
    realloc: "(i32.const 65535)",
    value: "ab",
    because: /not in the guest's memory/,
  },
  {
    name: "at -1",
    type: "(list u8)",
    core: "i32 i32",
    realloc: "(i32.const -1)",
    value: Uint8Array.of(1),
    because: /not in the guest's memory/,
  },
  {
    name: "outside of the memory, for nothing",
    type: "(list u32)",
    core: "i32 i32",
    realloc: "(i32.const -4)",
    value: [],
    because: /not in the guest's memory/,
  },
  {
    name: "not aligned for a list",
    type: "(list u32)",
    core: "i32 i32",
    realloc: "(i32.const 2)",
    value: [1],
    because: /multiple of 4/,
  },
  {
    name: "not aligned for arguments in memory",
    type: big,
    core: "i32",
    realloc: "(i32.const 1)",
    value: seventeen,
    because: /multiple of 4/,
  },
  {
    name: "outside of the memory, for arguments",
    type: big,
    core: "i32",
    realloc: "(i32.const 65472)",
    value: seventeen,
    because: /not in the guest's memory/,
  },
  { name: "a trap", type: "string", core: "i32 i32", realloc: "unreachable", value: "", because: /trap/ },
  {
    name: "after a call out",
    type: "string",
    core: "i32 i32",
    realloc: "(call $mark (i32.const 1)) (i32.const 16)",
    value: "",
    because: /must not/,
  },
  {
    name: "after making a resource",
    type: "string",
    core: "i32 i32",
    realloc: "(drop (call $new (i32.const 1))) (i32.const 16)",
    value: "",
    because: /must not/,
  },
  {
    name: "after dropping a resource",
    type: "string",
    core: "i32 i32",
    realloc: "(call $drop (i32.const 1)) (i32.const 16)",
    value: "",
    because: /must not/,
  },
];

describe("a guest's realloc gives", () => {
  test.each(wrongSpace)("$name", async ({ value, because, ...what }) => {
    const marks: unknown[] = [];
    const host = { "test:host/api": { mark: (n: unknown) => void marks.push(n) } };
    const guest = await guestOfText(taking(what), { host });
    expect(() => guest.call("take", value)).toThrow(because);
    expect(() => guest.call("take", value)).toThrow(failed);
    expect(marks).toEqual([]);
  });
});

// A result in memory: where the guest says that it lies (test/values/alignment.wast, `CalleeRetptr`, `CallerRetptr`).
test.each([
  { name: "not aligned", at: 1, because: /multiple of 4/ },
  { name: "outside of the memory", at: 65_532, because: /not in the guest's memory/ },
])("a result in memory that is $name", async ({ at, because }) => {
  const text = (call: string, giveBack: string): string => `(component
    (import "test:host/api" (instance $api (export "two" (func (result (tuple u32 u32))))))
    (core module $Space (memory (export "memory") 1))
    (core instance $space (instantiate $Space))
    (core func $two (canon lower (func $api "two") (memory (core memory $space "memory"))))
    (core module $Guest
      (import "host" "two" (func $two (param i32)))
      (func (export "run") (result i32) (call $two (i32.const ${call})) (i32.const ${giveBack})))
    (core instance $guest (instantiate $Guest (with "host" (instance (export "two" (func $two))))))
    (func (export "run") (result (tuple u32 u32)) (canon lift (core func $guest "run")
      (memory (core memory $space "memory")))))`;
  const host = { "test:host/api": { two: () => [1, 2] } };
  expect((await guestOfText(text("8", "8"), { host })).call("run")).toEqual([1, 2]);
  const lowered = await guestOfText(text(String(at), "8"), { host });
  expect(() => lowered.call("run")).toThrow(because);
  const lifted = await guestOfText(text("8", String(at)), { host });
  expect(() => lifted.call("run")).toThrow(because);
});

test("the core types of a function are those of CanonicalABI.md, flatten_functype", () => {
  const table = new CodecTable({ types: [{ kind: "u64" }, { kind: "string" }], resources: [] });
  const lowered = (count: number, result?: number) =>
    new FunctionCodec(
      {
        params: Array.from({ length: count }, (_, index) => ({ name: `p${index}`, type: 0 })),
        async: false,
        ...(result === undefined ? {} : { result }),
      },
      table,
    ).lowered;
  expect(lowered(16)).toEqual({ params: Array.from({ length: 16 }, () => "i64"), result: undefined });
  expect(lowered(17)).toEqual({ params: ["i32"], result: undefined });
  expect(lowered(1, 0)).toEqual({ params: ["i64"], result: "i64" });
  expect(lowered(17, 1)).toEqual({ params: ["i32", "i32"], result: undefined });
});
