import { describe, expect, test } from "vitest";
import { BinaryError } from "../leb128.ts";
import { CapError } from "./cap-error.ts";
import { capMemories, pageBytes } from "./memory-cap.ts";

const preamble = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const exportMemory = [0x07, 0x05, 1, 1, 0x6d, 0x02, 0x00];

const module = (memory: readonly number[], before: readonly number[] = []): Uint8Array =>
  Uint8Array.from([...preamble, ...before, 0x05, memory.length, ...memory, ...exportMemory]);

/** The memory that V8 makes of it, and how far it grows. */
function grow(bytes: Uint8Array): { readonly pages: number; readonly growsTo: number } {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const memory = exports["m"] as { grow(pages: number): number; readonly buffer: ArrayBuffer };
  const pages = memory.buffer.byteLength / pageBytes;
  let growsTo = pages;
  for (; growsTo < 100; growsTo++) {
    try {
      memory.grow(1);
    } catch {
      break;
    }
  }
  return { pages, growsTo };
}

describe("capMemories", () => {
  test.each([
    { what: "no maximum", memory: [1, 0x00, 2], cap: 10, growsTo: 10 },
    { what: "a higher maximum", memory: [1, 0x01, 2, 50], cap: 10, growsTo: 10 },
    { what: "a lower maximum", memory: [1, 0x01, 2, 5], cap: 10, growsTo: 5 },
    { what: "a minimum that is the cap", memory: [1, 0x00, 10], cap: 10, growsTo: 10 },
    { what: "a cap of many bytes", memory: [1, 0x00, 2], cap: 1000, growsTo: 100 },
  ])("a memory with $what grows to $growsTo pages", ({ memory, cap, growsTo }) => {
    const pages = memory[2] ?? 0;
    expect(grow(capMemories(module(memory), cap * pageBytes))).toEqual({ pages, growsTo });
  });

  test("leaves a module without memory as it is", () => {
    const bytes = Uint8Array.from(preamble);
    expect(capMemories(bytes, pageBytes)).toBe(bytes);
  });

  test("sections before and after stay what they were", () => {
    const custom = [0x00, 0x03, 0x01, 0x61, 0x2a];
    const capped = capMemories(module([1, 0x00, 1], custom), 3 * pageBytes);
    expect([...capped.subarray(8, 13)]).toEqual(custom);
    expect([...capped.subarray(-exportMemory.length)]).toEqual(exportMemory);
  });

  test("a cap beyond what 32 bits address is no cap, and the module is still one", () => {
    const capped = capMemories(module([1, 0x00, 1]), 16 * 2 ** 30);
    expect(WebAssembly.validate(Uint8Array.from(capped))).toBe(true);
  });

  test("caps a 64-bit memory too", () => {
    const capped = capMemories(module([1, 0x04, 1]), 3 * pageBytes);
    expect([...capped.subarray(8, 14)]).toEqual([0x05, 0x04, 1, 0x05, 1, 3]);
  });

  test("refuses a memory that starts above the cap", () => {
    expect(() => capMemories(module([1, 0x00, 11]), 10 * pageBytes)).toThrow(CapError);
  });

  test.each([
    { what: "a shared memory", bytes: module([1, 0x03, 1, 2]) },
    { what: "an unknown kind of memory", bytes: module([1, 0x10, 1]) },
    { what: "an imported shared memory", bytes: Uint8Array.from([...preamble, 2, 8, 1, 1, 0x61, 1, 0x6d, 2, 3, 1, 1]) },
    { what: "a section that is cut short", bytes: Uint8Array.from([...preamble, 5, 9, 1]) },
  ])("refuses $what", ({ bytes }) => {
    expect(() => capMemories(bytes, 2 ** 32)).toThrow(BinaryError);
  });
});
