import { assert, bigInt, nat, property } from "fast-check";
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

test("a u32 is read as a u64 is, with whatever zeros behind it", () => {
  assert(
    property(bigInt({ min: 0n, max: 2n ** 32n - 1n }), nat(5), (value, zeros) => {
      const encoded = encodeUnsigned(value);
      const more = zeros === 0 ? [] : [...Array.from({ length: zeros - 1 }, () => 0x80), 0x00];
      const [narrow, wide] = [0, 1].map(
        () =>
          new BinaryReader(
            Uint8Array.from([...encoded.slice(0, -1), (encoded.at(-1) ?? 0) | (zeros && 0x80), ...more]),
          ),
      ) as [BinaryReader, BinaryReader];
      expect(BigInt(narrow.u32())).toBe(wide.u64());
      expect(narrow.atEnd).toBe(true);
    }),
  );
});

test("a number above 32 bits is no u32, and none is longer than ten bytes", () => {
  expect(() => new BinaryReader(Uint8Array.from(encodeUnsigned(2n ** 32n))).u32()).toThrow(BinaryError);
  expect(() => new BinaryReader(new Uint8Array(11).fill(0x80)).u32()).toThrow(BinaryError);
});

test("a part does not read beyond its end", () => {
  const reader = new BinaryReader(Uint8Array.from([1, 2, 3, 4]));
  const part = reader.part(2);
  expect([part.byte(), part.byte()]).toEqual([1, 2]);
  expect(() => part.byte()).toThrow(BinaryError);
  expect(reader.byte()).toBe(3);
  expect(() => reader.take(2)).toThrow(BinaryError);
});

test("an index with a sign is below zero where its last byte says so", () => {
  const read = (...bytes: readonly number[]): number => new BinaryReader(Uint8Array.from(bytes)).s33();
  expect(read(0x3f)).toBe(63);
  expect(read(0x7f)).toBe(-1);
  expect(read(0x40)).toBe(-64);
  expect(read(0xf3, 0x00)).toBe(0x73);
  expect(read(0xff, 0xff, 0xff, 0xff, 0x0f)).toBe(2 ** 32 - 1);
  expect(read(0x80, 0x80, 0x80, 0x80, 0x70)).toBe(-(2 ** 32));
  expect(() => read(0x80, 0x80, 0x80, 0x80, 0x20)).toThrow(BinaryError);
  expect(() => read(0x80, 0x80, 0x80, 0x80, 0x80, 0x00)).toThrow(BinaryError);
});

test("what is left counts to the end of the part", () => {
  const part = new BinaryReader(Uint8Array.from([1, 2, 3, 4])).part(3);
  part.byte();
  expect(part.left).toBe(2);
});
