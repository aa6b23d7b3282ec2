import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { componentNames, mapCoreModules, renameNamespace } from "./component-binary.ts";
import { binaryOf, unsigned } from "./wasm-binary.ts";

const preamble = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00);
const invalid = expect.objectContaining({ code: "COMPONENT_INVALID" });
const name = (text: string, kind = 0x00): number[] => [
  kind,
  ...unsigned(text.length),
  ...new TextEncoder().encode(text),
];
const section = (id: number, items: readonly number[][]): { id: number; content: Uint8Array } => ({
  id,
  content: Uint8Array.from([...unsigned(items.length), ...items.flat()]),
});

describe("componentNames", () => {
  // Every form of an extern description in Binary.md, "Import and Export Definitions".
  test.each([
    { what: "a core module", description: [0x00, 0x11, 0x05] },
    { what: "a function", description: [0x01, 0x80, 0x01] },
    { what: "a value equal to another", description: [0x02, 0x00, 0x03] },
    { what: "a value of a primitive type", description: [0x02, 0x01, 0x7f] },
    { what: "a type equal to another", description: [0x03, 0x00, 0x07] },
    { what: "a resource", description: [0x03, 0x01] },
    { what: "a component", description: [0x04, 0x00] },
    { what: "an instance", description: [0x05, 0xff, 0x01] },
  ])("finds what stands after the import and the export of $what", ({ description }) => {
    const component = binaryOf(preamble, [
      section(10, [
        [...name("a:b/first"), ...description],
        [...name("second", 0x01), 0x05, 0x00],
      ]),
      section(11, [
        [...name("out"), 0x00, 0x11, 0x02, 0x00],
        [...name("typed"), 0x01, 0x03, 0x01, ...description],
        [...name("last"), 0x05, 0x00, 0x00],
      ]),
    ]);
    expect(componentNames(component)).toEqual({ imports: ["a:b/first", "second"], exports: ["out", "typed", "last"] });
  });

  test("reads names with a version suffix", () => {
    const suffixed = [...name("a:b/c@1", 0x02), ...unsigned(4), ...new TextEncoder().encode(".2.3"), 0x05, 0x00];
    const component = binaryOf(preamble, [section(10, [suffixed, [...name("next"), 0x05, 0x00]])]);
    expect(componentNames(component).imports).toEqual(["a:b/c@1", "next"]);
  });

  test("refuses every truncation of itself, or reads less of it", () => {
    const component = binaryOf(preamble, [
      section(10, [[...name("a:b/first"), 0x05, 0x00]]),
      section(11, [[...name("x"), 0x05, 0x00, 0x00]]),
    ]);
    let whole = 0;
    for (let length = 0; length < component.length; length++) {
      try {
        componentNames(component.subarray(0, length));
        whole += 1;
      } catch (error) {
        expect(error).toEqual(invalid);
      }
    }
    // After the preamble, and after the first section.
    expect(whole).toBe(2);
  });

  test("of hostile bytes is refused, and nothing else happens", () => {
    const content = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(fc.constantFrom(10, 11), content, (id, bytes) => {
        try {
          componentNames(binaryOf(preamble, [{ id, content: bytes }]));
        } catch (error) {
          expect(error).toEqual(invalid);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("a count of four thousand million names ends with the bytes", () => {
    const content = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f);
    expect(() => componentNames(binaryOf(preamble, [{ id: 10, content }]))).toThrow(invalid);
  });
});

test("mapCoreModules reaches nested components, and leaves the rest", () => {
  const module = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
  const inner = binaryOf(preamble, [
    { id: 1, content: module },
    { id: 7, content: Uint8Array.of(1) },
  ]);
  const outer = binaryOf(preamble, [
    { id: 4, content: inner },
    { id: 1, content: module },
  ]);
  let seen = 0;
  const mapped = mapCoreModules(outer, (bytes) => {
    seen += 1;
    expect([...bytes]).toEqual([...module]);
    return Uint8Array.of(...bytes, 0x00, 0x00);
  });
  expect([seen, mapped.length]).toEqual([2, outer.length + 4]);
  expect([...mapCoreModules(outer, (bytes) => bytes)]).toEqual([...outer]);
});

test("renameNamespace changes imports and exports only", () => {
  const custom = { id: 0, content: new TextEncoder().encode("wazi:custom") };
  const component = binaryOf(preamble, [
    custom,
    section(10, [[...name("wazi:a/b"), 0x05, 0x00]]),
    section(11, [[...name("wazi:c/d"), 0x05, 0x00, 0x00]]),
  ]);
  const renamed = renameNamespace(component, "wazi", "wasi");
  expect(componentNames(renamed)).toEqual({ imports: ["wasi:a/b"], exports: ["wasi:c/d"] });
  expect(Buffer.from(renamed).includes("wazi:custom")).toBe(true);
});
