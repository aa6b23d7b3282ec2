import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { contentBytesOf, copyMemory } from "./copied-image.ts";
import { createImageSource } from "./image-source.ts";
import { ImageSources } from "./image-sources.ts";
import { bytesOf, dirty, filledMemory, memoryImageContract } from "./memory-image.contract.ts";
import { captureMemory, mapMemory } from "./memory-image.ts";
import { pageCalls } from "./page-calls.ts";

memoryImageContract("copied", copyMemory);
memoryImageContract("the quickest here", captureMemory);
const sources = new ImageSources();
memoryImageContract("shared where it can be", (memory) => sources.capture(memory));
afterAll(() => sources.dispose());

const calls = pageCalls();
if (calls !== undefined) {
  memoryImageContract("mapped", (memory) => mapMemory(memory)!);
}

test.each([
  { what: "nothing but zeros", filled: 0, content: 0 },
  { what: "one filled page", filled: 1, content: 65536 },
  { what: "no zeros at the end", filled: 3, content: 3 * 65536 },
])("$what: $content bytes of content", ({ filled, content }) => {
  expect(contentBytesOf(bytesOf(filledMemory(3, filled)))).toBe(content);
});

test.skipIf(calls === undefined)("many memories are mapped from one source, each for itself", () => {
  const model = filledMemory(10, 5);
  const before = Buffer.from(bytesOf(model));
  const source = createImageSource(model)!;
  const forks = Array.from({ length: 20 }, () => {
    const memory = filledMemory(10, 10);
    return { memory, image: source.map(memory)! };
  });
  for (const { memory } of forks) expect(bytesOf(memory).equals(before)).toBe(true);
  for (const [index, { memory }] of forks.entries()) dirty(memory, 1, index + 1);
  for (const [index, { memory, image }] of forks.entries()) {
    expect(bytesOf(memory)[100]).toBe(index + 1);
    expect(image.restore()).toBe(true);
    expect(bytesOf(memory).equals(before)).toBe(true);
  }
  source.dispose();
  expect(source.map(filledMemory(10)), "a disposed source maps nothing").toBeUndefined();
  expect(forks[0]!.image.restore(), "what was mapped outlives its source").toBe(true);
  expect(bytesOf(forks[0]!.memory).equals(before)).toBe(true);
});

test.skipIf(calls === undefined)("a source knows the memories that hold the same", () => {
  const source = createImageSource(filledMemory(4, 2))!;
  const other = filledMemory(4, 2);
  expect(source.holds(other)).toBe(true);
  expect(source.holds(filledMemory(5, 2))).toBe(false);
  bytesOf(other)[4 * 65536 - 1] = 1;
  expect(source.holds(other)).toBe(false);
  bytesOf(other)[4 * 65536 - 1] = 0;
  bytesOf(other)[1] = 1;
  expect(source.holds(other)).toBe(false);
  expect(source.map(filledMemory(5)), "of another size").toBeUndefined();
  source.dispose();
});

test.skipIf(calls?.canScan !== true)("memories that hold the same share a source, up to a number of sources", () => {
  let created = 0;
  const sources = new ImageSources((memory) => {
    created++;
    return createImageSource(memory);
  });
  const capture = (filled: number): number => {
    const memory = filledMemory(12, filled);
    const before = Buffer.from(bytesOf(memory));
    const image = sources.capture(memory);
    dirty(memory, 1, 3);
    expect(image.restore()).toBe(true);
    expect(bytesOf(memory).equals(before)).toBe(true);
    return created;
  };
  expect([5, 5, 2, 5, 2].map(capture)).toEqual([1, 1, 2, 2, 2]);
  expect([1, 3, 4, 6, 7, 8, 9, 10].map(capture).at(-1)).toBe(8);
  expect(sources.capture(filledMemory(1)).restore(), "a small one").toBe(true);
  expect(created).toBe(8);
  sources.dispose();
  expect(capture(5), "what was freed is made again").toBe(9);
  sources.dispose();
});

test.skipIf(calls === undefined)("a source that is freed twice closes its own file only", () => {
  const first = createImageSource(filledMemory(2))!;
  first.dispose();
  const second = createImageSource(filledMemory(2))!;
  first.dispose();
  expect(first.map(filledMemory(2))).toBeUndefined();
  expect(second.map(filledMemory(2))).toBeDefined();
  second.dispose();
});

test.skipIf(calls === undefined)("nobody can change the file of a source", () => {
  const fd = calls!.createFile(Buffer.alloc(8, 1))!;
  const writable = openSync(`/proc/self/fd/${fd}`, "r+");
  expect(() => writeSync(writable, Buffer.from("x"), 0, 1, 0)).toThrow(/EPERM/);
  expect(() => ftruncateSync(writable, 0)).toThrow(/EPERM/);
  closeSync(writable);
  closeSync(fd);
});
