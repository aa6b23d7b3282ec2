import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { binaryOf, Reader, sectionsOf, signed, unsigned } from "./wasm-binary.ts";

const invalid = expect.objectContaining({ code: "COMPONENT_INVALID" });

describe("LEB128", () => {
  test("unsigned comes back, in as few bytes as there can be", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (value) => {
        const bytes = unsigned(value);
        const reader = new Reader(Uint8Array.from(bytes));
        expect([reader.u32(), reader.done]).toEqual([value, true]);
        expect(bytes.length).toBe(Math.max(1, Math.ceil(Math.log2(value + 1) / 7)));
      }),
    );
  });

  test("signed comes back", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (value) => {
        const reader = new Reader(Uint8Array.from(signed(value)));
        expect([reader.s32(), reader.done]).toEqual([value, true]);
      }),
    );
  });

  test.each([
    { what: "624485", bytes: [0xe5, 0x8e, 0x26], unsigned: 624_485 },
    { what: "a padded number", bytes: [0x80, 0x80, 0x00], unsigned: 0 },
    { what: "the greatest", bytes: [0xff, 0xff, 0xff, 0xff, 0x0f], unsigned: 0xffff_ffff },
  ])("reads $what", (row) => {
    expect(new Reader(Uint8Array.from(row.bytes)).u32()).toBe(row.unsigned);
  });

  test.each([
    [[0x7f], -1],
    [[0xc0, 0xbb, 0x78], -123_456],
    [[0x3f], 63],
    [[0x40], -64],
  ])("reads %j as %d", (bytes, value) => {
    expect(new Reader(Uint8Array.from(bytes)).s32()).toBe(value);
  });

  test.each([[[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]], [[0xff, 0xff, 0xff, 0xff, 0x1f]], [[0x80]], [[]]])(
    "refuses %j",
    (bytes) => {
      expect(() => new Reader(Uint8Array.from(bytes)).u32()).toThrow(invalid);
    },
  );
});

describe("sections", () => {
  test("come back as they were", () => {
    const section = fc.record({ id: fc.integer({ min: 0, max: 12 }), content: fc.uint8Array({ maxLength: 300 }) });
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.array(section), (preamble, sections) => {
        const read = sectionsOf(binaryOf(preamble, sections));
        expect([...read.preamble]).toEqual([...preamble]);
        expect(read.sections.map(({ id, content }) => [id, ...content])).toEqual(
          sections.map(({ id, content }) => [id, ...content]),
        );
      }),
    );
  });

  test("of hostile bytes are refused, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          sectionsOf(bytes);
        } catch (error) {
          expect(error).toEqual(invalid);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
