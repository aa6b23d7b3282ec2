import { readFileSync, writeSync } from "node:fs";
import { mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { JailFile } from "./jail-file.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-jail-file-"));
});
afterEach(() => rm(directory, { recursive: true }));

test("what a jail is given is read by its descriptor, not written, and has no name", async () => {
  await using input = await JailFile.make(directory, "reads");
  expect(await readdir(directory)).toEqual([]);
  // More than is copied at once.
  const content = Buffer.alloc(2.5 * 2 ** 20, "component");
  const path = join(directory, "component.wasm");
  await writeFile(path, content);
  await using file = await open(path);
  await input.fill(file);
  expect(readFileSync(input.descriptor).equals(content)).toBe(true);
  expect(() => writeSync(input.descriptor, "x")).toThrow(expect.objectContaining({ code: "EBADF" }));
  await input.given();
});

test("what a jail has written is a copy, and no more than is wanted", async () => {
  await using output = await JailFile.make(directory, "writes");
  expect((await output.contents(100)).length).toBe(0);
  writeSync(output.descriptor, "modules");
  const contents = await output.contents(100);
  writeSync(output.descriptor, "other", 0);
  expect([contents.toString(), await output.size()]).toEqual(["modules", 7]);
  expect((await output.contents(5)).toString()).toBe("other");
  expect(() => readFileSync(output.descriptor)).toThrow(expect.objectContaining({ code: "EBADF" }));
  await output.given();
});
