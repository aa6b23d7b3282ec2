import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CapError } from "./cap-error.ts";
import { capMemories, pageBytes } from "./memory-cap.ts";
import { readCapped } from "./read-capped.ts";
import { capTables } from "./table-cap.ts";

const preamble = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const custom = (length: number): number[] => [
  0x00,
  length + 2,
  1,
  0x61,
  ...Array.from({ length }, (_, index) => index),
];
const table = (...limits: readonly number[]): number[] => [0x70, ...limits];
const tables = (all: readonly number[][]): number[] => section(0x04, [...short(all.length), ...all.flat()]);
const memory = (...limits: readonly number[]): number[] => section(0x05, [1, ...limits]);

const short = (value: number): number[] => (value < 128 ? [value] : [(value & 0x7f) | 0x80, value >> 7]);

function section(id: number, content: readonly number[]): number[] {
  return [id, ...short(content.length), ...content];
}

let directory: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "read-capped-"))));
afterAll(() => rmSync(directory, { recursive: true }));

const caps = { memoryBytes: 500 * pageBytes, tableEntriesMax: 100_000 };

test.each([
  { what: "neither memory nor table", sections: [] },
  { what: "a memory without a maximum", sections: memory(0x00, 1) },
  {
    what: "a memory whose maximum is written longer than it has to be",
    sections: memory(0x01, 1, 0x81, 0x80, 0x80, 0x00),
  },
  { what: "a memory whose maximum takes more bytes than its cap", sections: memory(0x01, 1, 0x80, 0x80, 0x04) },
  { what: "a table", sections: tables([table(0x00, 1)]) },
  { what: "a table and a memory", sections: [...tables([table(0x00, 1), table(0x01, 1, 2)]), ...memory(0x00, 1)] },
  { what: "more tables than there is room for", sections: tables(Array.from({ length: 200 }, () => table(0x00, 1))) },
])("a module with $what is what it is when it is copied", ({ sections }) => {
  const bytes = Uint8Array.from([...preamble, ...custom(30), ...sections, ...custom(90)]);
  const path = join(directory, "module.wasm");
  writeFileSync(path, bytes);
  const capped = readCapped(path, caps);
  expect([...capped]).toEqual([...capTables(capMemories(bytes, caps.memoryBytes), caps.tableEntriesMax)]);
  expect(WebAssembly.validate(Uint8Array.from(capped))).toBe(true);
});

test("one that needs more from its beginning is refused", () => {
  const path = join(directory, "large.wasm");
  writeFileSync(path, Uint8Array.from([...preamble, ...memory(0x00, 100)]));
  expect(() => readCapped(path, { ...caps, memoryBytes: pageBytes })).toThrow(CapError);
});
