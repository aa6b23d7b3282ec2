import { describe, expect, test } from "vitest";
import type { AsideMemory, MemoryImage } from "./memory-image.ts";

const wasmPage = 64 * 1024;

/** A memory whose first pages hold something, and whose last ones are zeros. */
export function filledMemory(pages: number, filledPages = pages): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages + 8 });
  const bytes = new Uint8Array(memory.buffer, 0, filledPages * wasmPage);
  for (let at = 0; at < bytes.length; at += 61) bytes[at] = (at % 255) + 1;
  return memory;
}

export const bytesOf = (memory: WebAssembly.Memory): Buffer => Buffer.from(memory.buffer);

/** Writes into every `step`-th page of 4 KiB, and into the first and last byte. */
export function dirty(memory: WebAssembly.Memory, step: number, value: number): void {
  const bytes = bytesOf(memory);
  for (let at = 0; at < bytes.length; at += step * 4096) bytes[at + 100] = value;
  bytes[0] = value;
  bytes[bytes.length - 1] = value;
}

/** What every way to keep a memory must do. */
export function memoryImageContract(name: string, capture: (memory: WebAssembly.Memory) => MemoryImage): void {
  describe(`MemoryImage contract: ${name}`, () => {
    test.each([
      { what: "one page", pages: 1, filled: 1 },
      { what: "one page of zeros", pages: 1, filled: 0 },
      { what: "zeros at the end", pages: 20, filled: 3 },
      { what: "content up to the end", pages: 20, filled: 20 },
      { what: "a memory above 8 MiB", pages: 150, filled: 130 },
    ])("puts back $what, however much was written", ({ pages, filled }) => {
      const memory = filledMemory(pages, filled);
      const before = Buffer.from(bytesOf(memory));
      const image = capture(memory);
      expect(image.byteLength).toBe(before.length);
      expect(bytesOf(memory).equals(before)).toBe(true);
      for (const step of [1000, 7, 2, 1]) {
        dirty(memory, step, step & 0xff);
        expect(bytesOf(memory).equals(before)).toBe(false);
        expect(image.restore()).toBe(true);
        expect(bytesOf(memory).equals(before), `every ${step}th page`).toBe(true);
      }
      bytesOf(memory).fill(0xff);
      expect(image.restore()).toBe(true);
      expect(bytesOf(memory).equals(before)).toBe(true);
      image.dispose();
    });

    test("is right after thousands of restores", () => {
      const memory = filledMemory(4, 3);
      const before = Buffer.from(bytesOf(memory));
      const image = capture(memory);
      for (let round = 1; round <= 3000; round++) {
        dirty(memory, (round % 9) + 1, (round % 250) + 1);
        if (!image.restore()) throw new Error(`not restored in round ${round}`);
        if (!bytesOf(memory).equals(before)) throw new Error(`other bytes in round ${round}`);
      }
      image.dispose();
    });

    test("what is written after capture is not in the image, and one of two images knows nothing of the other", () => {
      const memory = filledMemory(2);
      const other = filledMemory(2);
      dirty(other, 3, 9);
      const otherBefore = Buffer.from(bytesOf(other));
      const images = [capture(memory), capture(other)];
      dirty(memory, 1, 200);
      dirty(other, 1, 201);
      expect(images[1]?.restore()).toBe(true);
      expect(bytesOf(other).equals(otherBefore)).toBe(true);
      expect(bytesOf(memory)[100]).toBe(200);
      for (const image of images) image.dispose();
    });

    test("a memory that has grown works on, but cannot be put back", () => {
      const memory = filledMemory(2);
      const image = capture(memory);
      dirty(memory, 1, 77);
      const grown = Buffer.from(bytesOf(memory));
      expect(memory.grow(1)).toBe(2);
      expect(image.restore()).toBe(false);
      expect(bytesOf(memory).subarray(0, grown.length).equals(grown)).toBe(true);
      expect(
        bytesOf(memory)
          .subarray(grown.length)
          .every((byte) => byte === 0),
      ).toBe(true);
      dirty(memory, 1, 78);
      expect(image.restore()).toBe(false);
      image.dispose();
    });

    test("another memory of the same size becomes what it is, also after it is disposed, or stays as it is", () => {
      const memory = filledMemory(20, 3);
      const before = Buffer.from(bytesOf(memory));
      const image = capture(memory);
      dirty(memory, 1, 5);
      image.dispose();
      const other = filledMemory(20, 20);
      const another = image.another(other);
      const after = another === undefined ? Buffer.from(bytesOf(filledMemory(20, 20))) : before;
      expect(bytesOf(other).equals(after)).toBe(true);
      dirty(other, 1, 6);
      if (another !== undefined) {
        expect(another.restore()).toBe(true);
        expect(bytesOf(other).equals(before)).toBe(true);
      }
      expect(bytesOf(memory)[100], "each for itself").toBe(5);
      const larger = filledMemory(21);
      expect(image.another(larger)).toBeUndefined();
      expect(bytesOf(larger).equals(bytesOf(filledMemory(21)))).toBe(true);
    });

    test("what it holds is set aside, however often and in whatever order it comes back, or it stays as it is", () => {
      const memory = filledMemory(20, 3);
      const before = Buffer.from(bytesOf(memory));
      const image = capture(memory);
      dirty(memory, 1000, 1);
      if (image.setAside() === undefined) {
        expect(bytesOf(memory)[100]).toBe(1);
        return;
      }
      const held: { readonly aside: AsideMemory; readonly bytes: Buffer }[] = [];
      const setAside = (): void => {
        const bytes = Buffer.from(bytesOf(memory));
        held.push({ aside: image.setAside()!, bytes });
        expect(bytesOf(memory).equals(before), "as it was captured").toBe(true);
      };
      for (const step of [1000, 7, 2, 1]) {
        expect(bytesOf(memory).equals(before)).toBe(true);
        dirty(memory, step, step & 0xff);
        setAside();
      }
      // One of them wrote nothing.
      setAside();
      for (let round = 0; round < 40; round++) {
        const { aside, bytes } = held.splice((round * 7) % held.length, 1)[0]!;
        if (round % 2 === 0) dirty(memory, 3, round + 1);
        expect(aside.putBack(round % 2 === 0)).toBe(true);
        expect(bytesOf(memory).equals(bytes), `round ${round}`).toBe(true);
        if (round % 3 === 0) bytesOf(memory)[round * 5000] = round + 1;
        setAside();
      }
      expect(image.restore()).toBe(true);
      expect(bytesOf(memory).equals(before)).toBe(true);
      image.dispose();
      expect(image.setAside(), "a disposed image sets nothing aside").toBeUndefined();
    });

    test("what has grown is set aside with the rest, and cleared", () => {
      const memory = filledMemory(2);
      const before = Buffer.from(bytesOf(memory));
      const image = capture(memory);
      const isAsBefore = (): boolean =>
        bytesOf(memory).subarray(0, before.length).equals(before) &&
        bytesOf(memory)
          .subarray(before.length)
          .every((byte) => byte === 0);
      expect(image.hasGrown).toBe(false);
      for (const value of [5, 6]) {
        memory.grow(1);
        dirty(memory, 1, value);
        const bytes = Buffer.from(bytesOf(memory));
        const aside = image.setAside();
        if (aside === undefined) break;
        expect(isAsBefore()).toBe(true);
        memory.grow(1);
        dirty(memory, 1, 200);
        if (value === 5) {
          expect(image.clear()).toBe(true);
          expect(isAsBefore()).toBe(true);
        }
        expect(aside.putBack(value === 6)).toBe(true);
        expect(bytesOf(memory).subarray(0, bytes.length).equals(bytes)).toBe(true);
        expect(
          bytesOf(memory)
            .subarray(bytes.length)
            .every((byte) => byte === 0),
        ).toBe(true);
      }
      expect(image.hasGrown).toBe(true);
      expect(image.clear()).toBe(true);
      expect(isAsBefore()).toBe(true);
      image.dispose();
      expect(image.clear()).toBe(false);
    });

    test("growing by nothing changes nothing", () => {
      const memory = filledMemory(2);
      const before = Buffer.from(bytesOf(memory));
      const image = capture(memory);
      memory.grow(0);
      dirty(memory, 1, 77);
      expect(image.restore()).toBe(true);
      expect(bytesOf(memory).equals(before)).toBe(true);
      image.dispose();
    });

    test("a disposed image restores nothing, and the memory stays as it is", () => {
      const memory = filledMemory(2);
      const image = capture(memory);
      dirty(memory, 1, 5);
      const now = Buffer.from(bytesOf(memory));
      image.dispose();
      image.dispose();
      expect(image.restore()).toBe(false);
      expect(bytesOf(memory).equals(now)).toBe(true);
    });
  });
}
