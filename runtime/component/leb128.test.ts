import { assert, bigInt, property } from "fast-check";
import { expect, test } from "vitest";
import { BinaryError, BinaryReader, encodeUnsigned } from "./leb128.ts";

test("what is encoded is read back", () => {
  assert(
    property(bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      const reader = new BinaryReader(Uint8Array.from(encodeUnsigned(value)));
      expect(reader.u64()).toBe(value);
      expect(reader.atEnd).toBe(true);
    }),
  );
});

test("a number above 32 bits is no u32", () => {
  expect(() => new BinaryReader(Uint8Array.from(encodeUnsigned(2n ** 32n))).u32()).toThrow(BinaryError);
});

test("a part does not read beyond its end", () => {
  const reader = new BinaryReader(Uint8Array.from([1, 2, 3, 4]));
  const part = reader.part(2);
  expect([part.byte(), part.byte()]).toEqual([1, 2]);
  expect(() => part.byte()).toThrow(BinaryError);
  expect(reader.byte()).toBe(3);
  expect(() => reader.take(2)).toThrow(BinaryError);
});
