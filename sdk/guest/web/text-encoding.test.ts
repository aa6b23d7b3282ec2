import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TextDecoder as GuestDecoder, TextEncoder as GuestEncoder } from "./text-encoding.ts";

// Any UTF-16, lone surrogates too; and bytes that are nearly UTF-8.
const anyText = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
const nearUtf8 = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0xc2, 0xe0, 0xa0, 0xed, 0x9f, 0xf0, 0x90, 0xf4, 0x8f, 0x80, 0xbf, 0xef, 0xbb),
    ),
    { maxLength: 24 },
  )
  .map((bytes) => Uint8Array.from(bytes));

describe("TextEncoder", () => {
  test("gives the bytes that Node gives, for any UTF-16", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect([...new GuestEncoder().encode(text)]).toEqual([...new TextEncoder().encode(text)]);
      }),
    );
  });

  test("encodeInto stops where Node stops, never within a character", () => {
    fc.assert(
      fc.property(anyText, fc.nat(20), (text, room) => {
        const mine = new Uint8Array(room);
        const theirs = new Uint8Array(room);
        expect(new GuestEncoder().encodeInto(text, mine)).toEqual(new TextEncoder().encodeInto(text, theirs));
        expect([...mine]).toEqual([...theirs]);
      }),
    );
  });
});

describe("TextDecoder", () => {
  test.each([{}, { ignoreBOM: true }, { fatal: true }])("reads any bytes as Node does: %j", (options) => {
    const outcome = (read: () => string): string | undefined => {
      try {
        return read();
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        return undefined;
      }
    };
    fc.assert(
      fc.property(nearUtf8, (bytes) => {
        const mine = outcome(() => new GuestDecoder("utf-8", options).decode(bytes));
        expect(mine).toBe(outcome(() => new TextDecoder("utf-8", options).decode(bytes)));
      }),
      { numRuns: 1000 },
    );
  });

  test("in pieces gives what it gives in one, whatever the cuts", () => {
    fc.assert(
      fc.property(nearUtf8, fc.array(fc.nat(5), { maxLength: 12 }), (bytes, cuts) => {
        const decoder = new GuestDecoder();
        let text = "";
        let at = 0;
        for (const size of cuts) {
          text += decoder.decode(bytes.subarray(at, at + size), { stream: true });
          at += size;
        }
        text += decoder.decode(bytes.subarray(at));
        expect(text).toBe(new TextDecoder().decode(bytes));
        // And begins anew afterwards.
        expect(decoder.decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))).toBe("a");
      }),
      { numRuns: 1000 },
    );
  });

  test("a fatal decoder refuses a character that never ends", () => {
    const decoder = new GuestDecoder("utf8", { fatal: true });
    expect(decoder.decode(new Uint8Array([0xe2, 0x82]), { stream: true })).toBe("");
    expect(() => decoder.decode()).toThrow(TypeError);
  });

  test("long texts come out whole", () => {
    const text = "añ€😀".repeat(20_000);
    expect(new GuestDecoder().decode(new GuestEncoder().encode(text))).toBe(text);
  });

  test("takes every kind of buffer, at its place", () => {
    const bytes = new TextEncoder().encode("xhellox");
    expect(new GuestDecoder().decode(new DataView(bytes.buffer, 1, 5))).toBe("hello");
    expect(new GuestDecoder().decode(bytes.buffer)).toBe("xhellox");
    expect(new GuestDecoder().decode()).toBe("");
  });

  test("knows utf-8 only", () => {
    expect(() => new GuestDecoder("latin1")).toThrow(RangeError);
  });
});
