import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, textOf } from "./utf8.ts";

// Where whether all is ASCII is looked for in words: long, and beginning anywhere in a word.
const longAscii = fc.integer({ min: 256, max: 300 }).map((length) => "abcdefgh".repeat(40).slice(0, length));

test("one character that is not ASCII is found wherever it is in a long text", () => {
  fc.assert(
    fc.property(longAscii, fc.nat(300), fc.constantFrom("", "é", "ÿ", "€", "😀", "\ud800"), (ascii, at, character) => {
      const text = `${ascii.slice(0, at)}${character}${ascii.slice(at)}`;
      expect(Buffer.compare(bytesOf(text), Buffer.from(text))).toBe(0);
      expect(textOf(bytesOf(text))).toBe(text.toWellFormed());
    }),
    { numRuns: 300 },
  );
});

test("bytes are read at their place, and what is no UTF-8 is told apart", () => {
  fc.assert(
    fc.property(
      longAscii,
      fc.nat(3),
      fc.nat(255),
      fc.constantFrom(undefined, 0x80, 0xc3, 0xff),
      (ascii, from, at, byte) => {
        const all = new Uint8Array(from + ascii.length);
        all.set(Buffer.from(ascii), from);
        if (byte !== undefined) all[from + at] = byte;
        expect(textOf(all.subarray(from))).toBe(byte === undefined ? ascii : undefined);
      },
    ),
    { numRuns: 300 },
  );
});
