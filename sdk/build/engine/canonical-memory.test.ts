import { describe, expect, test } from "vitest";
import { canonicalMemory, stackBytes } from "./canonical-memory.ts";
import { siphash13 } from "./siphash.ts";

const memoryBytes = stackBytes + 1024;
const tableAt = stackBytes + 256;
const mapAt = stackBytes + 512;
const seedAt = stackBytes + 640;
const notReproducible = expect.objectContaining({ code: "NOT_REPRODUCIBLE" });

/** A memory as a build leaves it: a table of four buckets under keys of its own, a seed, and rubbish on the stack. */
function build(key: bigint, order: readonly number[]): Uint8Array {
  const memory = new Uint8Array(memoryBytes);
  const view = new DataView(memory.buffer);
  const control = tableAt + 4 * 32;
  memory.fill(0xff, control, control + 12);
  for (const [place, id] of order.entries()) {
    const at = control - (place + 1) * 32;
    memory.fill(id, at, at + 16);
    view.setUint32(at + 16, 1000 + id, true);
    // Padding: of the bucket, whichever entry is in it.
    view.setUint32(at + 28, 77 + place, true);
    const hash = siphash13(key, key + 1n, memory.subarray(at + 8, at + 16));
    memory[control + place] = memory[control + 8 + place] = Number((hash & 0xffff_ffffn) >> 25n);
  }
  view.setUint32(mapAt, control, true);
  view.setUint32(mapAt + 4, 3, true);
  view.setUint32(mapAt + 8, 3 - order.length, true);
  view.setUint32(mapAt + 12, order.length, true);
  view.setBigUint64(mapAt + 16, key, true);
  view.setBigUint64(mapAt + 24, key + 1n, true);
  view.setBigUint64(seedAt, key * 31n, true);
  memory.fill(Number(key & 0xffn), 100, 200);
  return memory;
}

describe("canonicalMemory", () => {
  test("is the same for builds with other keys, another order in the table, and other rubbish", () => {
    const first = canonicalMemory([build(0x1111n, [1, 2, 3]), build(0x2222n, [3, 1, 2])]);
    const second = canonicalMemory([build(0x3333n, [2, 3, 1]), build(0x4444n, [1, 3, 2])]);
    expect(Buffer.compare(first, second)).toBe(0);
  });

  test("keeps the entries, and marks them so that they are found under the new keys", () => {
    const memory = canonicalMemory([build(0x1111n, [2, 1]), build(0x2222n, [1, 2])]);
    const view = new DataView(memory.buffer);
    const control = view.getUint32(mapAt, true);
    expect([view.getBigUint64(mapAt + 16, true), view.getBigUint64(mapAt + 24, true)]).toEqual([0n, 0n]);
    for (const [place, id] of [1, 2].entries()) {
      const at = control - (place + 1) * 32;
      expect([memory[at], view.getUint32(at + 16, true)]).toEqual([id, 1000 + id]);
      const hash = siphash13(0n, 0n, memory.subarray(at + 8, at + 16));
      expect(memory[control + place]).toBe(Number((hash & 0xffff_ffffn) >> 25n));
    }
    expect(memory[control + 2]).toBe(0xff);
  });

  test("zeroes seeds and the stack, and nothing else", () => {
    const [a, b] = [build(5n, [1]), build(6n, [1])];
    a[stackBytes + 900] = b[stackBytes + 900] = 7;
    const memory = canonicalMemory([a, b]);
    expect([memory[seedAt], memory[150], memory[stackBytes + 900]]).toEqual([0, 0, 7]);
  });

  test("does not touch its inputs", () => {
    const [a, b] = [build(5n, [1]), build(6n, [1])];
    const copy = Uint8Array.from(a);
    canonicalMemory([a, b]);
    expect(Buffer.compare(a, copy)).toBe(0);
  });

  test("refuses memories that differ in more than is known", () => {
    const [a, b] = [build(5n, [1]), build(6n, [1])];
    b.fill(1, stackBytes + 800, stackBytes + 800 + 13 * 8);
    expect(() => canonicalMemory([a, b])).toThrow(notReproducible);
  });

  test("refuses memories of different sizes, and none at all", () => {
    expect(() => canonicalMemory([build(5n, [1]), new Uint8Array(memoryBytes + 8)])).toThrow(notReproducible);
    expect(() => canonicalMemory([])).toThrow(notReproducible);
  });
});
