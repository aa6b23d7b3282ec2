import { readFileSync } from "node:fs";
import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { changedLinesModule } from "./changed-lines.ts";
import { createImageSource } from "./image-source.ts";
import { bytesOf, dirty, filledMemory } from "./memory-image.contract.ts";
import { pageCalls } from "./page-calls.ts";

test("the module is what its source says", async () => {
  const source = readFileSync(new URL("changed-lines.wat", import.meta.url), "utf8");
  const made = Buffer.from(await parse(source));
  const length = changedLinesModule.length;
  expect(made.subarray(0, length).toString("base64")).toBe(changedLinesModule.toBase64());
  // Names, for people.
  expect([made[length], made.includes("name", length)]).toEqual([0, true]);
});

const pageBytes = 4096;

describe.skipIf(pageCalls()?.canScan !== true)("what is set aside", () => {
  test("costs what differs, and not the pages that it is in", () => {
    const memory = filledMemory(20);
    const before = Buffer.from(bytesOf(memory));
    const image = createImageSource(memory)!.map(memory)!;
    dirty(memory, 1, 7);
    let lines = 0;
    for (let at = 0; at < before.length; at += 64) {
      if (before.compare(bytesOf(memory), at, at + 64, at, at + 64) !== 0) lines++;
    }
    expect(image.setAside()?.byteLength).toBe(lines * 68);
    expect(image.setAside()?.byteLength).toBe(0);
  });

  test("is all, in however many places it is", () => {
    const memory = filledMemory(100, 90);
    const before = Buffer.from(bytesOf(memory));
    const image = createImageSource(memory)!.map(memory)!;
    // More runs than the kernel tells of at once; in the first line of a page and in the last.
    for (let at = 0; at < before.length; at += 2 * pageBytes) {
      bytesOf(memory)[at] = 200;
      bytesOf(memory)[at + pageBytes - 1] = 201;
    }
    const written = Buffer.from(bytesOf(memory));
    const aside = image.setAside();
    expect(bytesOf(memory).equals(before)).toBe(true);
    expect(aside?.putBack(false)).toBe(true);
    expect(bytesOf(memory).equals(written)).toBe(true);
  });

  test("leaves the pages where they are, for the next one", () => {
    const memory = filledMemory(4);
    const image = createImageSource(memory)!.map(memory)!;
    dirty(memory, 1, 1);
    image.setAside();
    const calls = pageCalls()!;
    const scanner = calls.scanner(calls.addressOf(memory.buffer), memory.buffer.byteLength);
    expect([scanner.scan(), scanner.start(0), scanner.end(0)]).toEqual([1, 0, memory.buffer.byteLength]);
  });
});
