import { seededRandom } from "@shallop/sdk/internal/testing";
import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { BinaryError, encodeUnsigned } from "../leb128.ts";
import * as fixture from "./components.fixture.ts";
import { planLinks } from "./plan-links.ts";

const fixtures = Object.entries(fixture);

/** The error's message, or undefined when the component is planned. Any other error fails the test. */
function refusalOf(component: Uint8Array): string | undefined {
  try {
    planLinks(component);
    return undefined;
  } catch (error) {
    if (!(error instanceof BinaryError)) throw error;
    return error.message;
  }
}

describe("a component that was damaged is refused or planned, and nothing else happens", () => {
  test.each(fixtures)("%s, cut short anywhere", async (_, text) => {
    const component = await parse(text);
    const refused = Array.from({ length: component.length }, (_, end) => refusalOf(component.subarray(0, end)));
    // A cut between two sections may leave a whole component.
    expect(refused.filter((message) => message !== undefined).length).toBeGreaterThan(component.length / 2);
    expect(refusalOf(component)).toBeUndefined();
  });

  test.each(fixtures)("%s, with some bytes changed", async (_, text) => {
    const component = await parse(text);
    const random = seededRandom(7);
    let refused = 0;
    for (let round = 0; round < 2000; round++) {
      const damaged = Uint8Array.from(component);
      for (let left = 1 + random.below(3); left > 0; left--)
        damaged[8 + random.below(damaged.length - 8)] = random.below(256);
      if (refusalOf(damaged) !== undefined) refused++;
    }
    expect(refused).toBeGreaterThan(0);
  });
});

type Bytes = readonly number[];

const unsigned = (value: number): Bytes => encodeUnsigned(BigInt(value));
const section = (id: number, content: Bytes = []): Bytes => [id, ...unsigned(content.length), ...content];
/** Types are numbers with a sign: from 64 on it takes a byte more. */
const typeIndex = (value: number): Bytes => (value < 64 ? [value] : [(value & 0x7f) | 0x80, value >> 7]);
const vector = (entries: readonly Bytes[]): Bytes => [...unsigned(entries.length), ...entries.flat()];
const name = (text: string): Bytes => [...unsigned(text.length), ...new TextEncoder().encode(text)];
const component = (...sections: readonly Bytes[]): Bytes => [
  ...[0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00],
  ...sections.flat(),
];
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

const types = (entries: readonly Bytes[]): Bytes => section(7, vector(entries));
const nestedComponent = (inner: Bytes): Bytes => section(4, [...inner]);
const instances = (entries: readonly Bytes[]): Bytes => section(5, vector(entries));
const instantiate = (index: number, args: readonly Bytes[] = []): Bytes => [0x00, ...unsigned(index), ...vector(args)];
const outerComponent = (count: number, index: number): Bytes =>
  section(6, [0x01, 0x04, 0x02, ...unsigned(count), ...unsigned(index)]);
const stringCode = 0x73;
const huge: Bytes = [0xff, 0xff, 0xff, 0xff, 0x0f];

/** Component `n` instantiates component `n - 1` so often; the first one is empty. */
const tower = (height: number, each: number): Bytes =>
  component(
    nestedComponent(component()),
    ...times(height, (level) =>
      nestedComponent(component(outerComponent(1, level), instances(times(each, () => instantiate(0))))),
    ),
    instances([instantiate(height)]),
  );

/** An instance type that has the one before it in it twice; and a component that is given one, so that it is walked. */
function instanceTypeTower(height: number): Bytes {
  const level = (index: number): Bytes => {
    const outer = [0x02, 0x03, 0x02, 0x01, ...unsigned(index - 1)];
    const twice = ["a", "b"].map((text) => [0x04, 0x00, ...name(text), 0x05, 0x00]);
    return index === 0 ? [0x42, 0x00] : [0x42, ...vector([outer, ...twice])];
  };
  const bag = (index: number): Bytes => {
    const inner = ["a", "b"].map((text) => [0x00, ...name(text), 0x05, ...unsigned(index - 1)]);
    return [0x01, ...vector(index === 0 ? [] : inner)];
  };
  return component(
    types(times(height + 1, level)),
    nestedComponent(
      component(
        section(6, [0x01, 0x03, 0x02, 0x01, ...unsigned(height)]),
        section(10, vector([[0x00, ...name("i"), 0x05, 0x00]])),
      ),
    ),
    instances([...times(height + 1, bag), instantiate(0, [[...name("i"), 0x05, ...unsigned(height)]])]),
  );
}

const nestedTypes = (depth: number): Bytes =>
  depth === 0 ? [0x42, 0x00] : [0x42, 0x01, 0x01, ...nestedTypes(depth - 1)];
const nestedComponents = (depth: number): Bytes =>
  component(...(depth === 0 ? [] : [nestedComponent(nestedComponents(depth - 1))]));

/** A core module that imports one thing so often, under a long name that a bag has for it. */
function manyImports(count: number, each: number, longName = "f"): Bytes {
  const module = [
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [0x01, 0x60, 0x00, 0x00]),
    ...section(2, vector(times(count, () => [...name(""), ...name("f"), 0x00, 0x00]))),
  ];
  const giver = [
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(7, vector([[...name(longName), 0x00, 0x00]])),
  ];
  return component(
    section(1, [...giver]),
    section(1, [...module]),
    section(2, vector([[0x00, 0x00, 0x00]])),
    section(6, vector([[0x00, 0x00, 0x01, 0x00, ...name(longName)]])),
    section(2, vector([[0x01, ...vector([[...name("f"), 0x00, 0x00]])]])),
    section(2, vector(times(each, () => [0x00, 0x01, ...vector([[...name(""), 0x12, 0x01]])]))),
  );
}

describe("a component that asks for too much is refused", () => {
  test.each<readonly [string, Bytes, string]>([
    ["a list longer than the binary", component([7, 6, ...huge, 0]), "more entries"],
    ["a record with as many fields", component(types([[0x72, ...huge]])), "more entries"],
    ["a section longer than the binary", component([7, ...huge]), "ends in the middle"],
    ["a name longer than the binary", component(section(10, [0x01, 0x00, ...huge])), "ends in the middle"],
    [
      "a name of a megabyte",
      component(section(10, [0x01, 0x00, ...name("a".repeat(1_000_000)), 0x01, 0x00])),
      "longer than",
    ],
    ["too many definitions", component(section(8, vector(times(250_001, () => [0x24])))), "more than 250000"],
    ["components in each other", nestedComponents(40), "nested more than 32"],
    ["types in each other", component(types([nestedTypes(1000)])), "nested more than 32"],
    [
      "a list of lists of lists",
      component(types([[0x70, stringCode], ...times(200, (at) => [0x70, ...typeIndex(at)])])),
      "nested more than 100",
    ],
    [
      "a tuple of two of a tuple of two",
      component(
        types([
          [0x6f, 0x02, stringCode, stringCode],
          ...times(30, (at) => [0x6f, 0x02, ...typeIndex(at), ...typeIndex(at)]),
        ]),
      ),
      "parts",
    ],
    [
      "fixed lists of fixed lists",
      component(
        types([
          [0x67, 0x7d, ...huge],
          [0x67, 0x00, ...huge],
        ]),
      ),
      "268435455 is the most",
    ],
    ["two of two of two component instances", tower(30, 2), "component instances"],
    ["many component instances", tower(1, 1000), "component instances"],
    ["a chain of component instances", tower(200, 1), "instantiated more than 100 deep"],
    ["an instance type that doubles", instanceTypeTower(30), "too much work"],
    ["an instance type in instance types", instanceTypeTower(40), "nested more than 32"],
    ["many core instances", manyImports(1, 10_000), "core instances"],
    [
      "a module that imports one thing with a long name often",
      manyImports(10_000, 1, "f".repeat(10_000)),
      "too much work",
    ],
    ["an alias beyond the outermost component", component(outerComponent(9, 0)), "beyond the outermost"],
    [
      "a component that instantiates itself",
      component(
        nestedComponent(component(outerComponent(1, 0), instances([instantiate(0)]))),
        instances([instantiate(0)]),
      ),
      "no outer component 0",
    ],
    ["a start function", component(section(9, [0x00, 0x00, 0x00])), "start function"],
    ["values", component(section(12, [0x00])), "value definition"],
    ["a section of an unknown kind", component(section(13)), "no section 13"],
    ["a core module", [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], "beginning of a component"],
    ["nothing", [], "beginning of a component"],
  ])("%s", (_, bytes, mentioned) => {
    expect(refusalOf(Uint8Array.from(bytes))).toContain(mentioned);
  });
});

test("what is just within the bounds is planned", () => {
  const plan = (bytes: Bytes) => planLinks(Uint8Array.from(bytes)).plan;
  expect(plan(tower(99, 1)).componentInstances).toBe(101);
  expect(plan(tower(1, 998)).componentInstances).toBe(1000);
  expect(plan(nestedComponents(32)).componentInstances).toBe(1);
  expect(plan(instanceTypeTower(10)).componentInstances).toBe(2);
  expect(plan(manyImports(2, 9_999)).steps).toHaveLength(10_000);
});

test("a custom section is skipped wherever it stands", () => {
  const custom = section(0, [...name("producers"), 1, 2, 3]);
  expect(refusalOf(Uint8Array.from(component(custom, section(7, [0x00]), custom)))).toBeUndefined();
});
