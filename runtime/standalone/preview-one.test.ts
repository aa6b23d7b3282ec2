import { WASI } from "node:wasi";
import { parse } from "@bytecodealliance/jco";
import { expect, test } from "vitest";
import { previewOneFunctions, previewOneRefusals } from "./preview-one.ts";

test("what is said to be there is what node:wasi has", () => {
  const { wasiImport } = new WASI({ version: "preview1" });
  expect(new Set(Object.keys(wasiImport))).toEqual(previewOneFunctions);
});

const wasi = (name: string): string => `(import "wasi_snapshot_preview1" "${name}" (func (param i32)))`;
const start = '(func (export "_start"))';

test.each([
  { what: "a command", body: `${wasi("proc_exit")} ${start}`, refused: [] },
  { what: "no start", body: "", refused: [/^exports no _start/] },
  { what: "a start that is no function", body: '(global (export "_start") i32 (i32.const 0))', refused: [/_start/] },
  {
    what: "all that is missing",
    body: `${wasi("path_fly")} ${wasi("fd_dance")} (import "env" "f" (func)) ${start}`,
    refused: [/path_fly, which/, /fd_dance, which/, /env f, and a core module gets wasi_snapshot_preview1 only/],
  },
  {
    what: "a memory for a function",
    body: `(import "wasi_snapshot_preview1" "fd_read" (memory 1)) ${start}`,
    refused: [/fd_read, which/],
  },
])("$what", async ({ body, refused }) => {
  const module = new WebAssembly.Module(await parse(`(module ${body})`));
  const found = previewOneRefusals(module);
  expect(found).toHaveLength(refused.length);
  for (const [index, reason] of refused.entries()) expect(found[index]).toMatch(reason);
});
