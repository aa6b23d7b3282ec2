import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ensureDataDirectory, lockDataDirectory, lockHolder } from "./data-directory.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shallop-data-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const faultOf = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
};

test("a directory is this process's until the lock is given back", () => {
  const lock = lockDataDirectory(directory);
  expect(lockHolder(directory)).toBe(process.pid);
  expect(faultOf(() => lockDataDirectory(directory))).toMatchObject({
    code: "DATA_IN_USE",
    message: expect.stringContaining("--data") as string,
  });
  lock[Symbol.dispose]();
  expect(lockHolder(directory)).toBeUndefined();
  using again = lockDataDirectory(directory);
  expect(again.isTakenOver).toBe(false);
});

test.each([
  ["a process that is gone", "4194304 1"],
  ["a process id that came round again", `${process.pid} 1`],
  ["garbage", "not a lock"],
])("the lock of %s is taken over", (_, text) => {
  writeFileSync(join(directory, "up.lock"), text);
  using lock = lockDataDirectory(directory);
  expect(lock.isTakenOver).toBe(true);
  expect(readFileSync(join(directory, "up.lock"), "utf8")).toContain(String(process.pid));
});

test("a directory that cannot be made is refused with the flag that helps", () => {
  writeFileSync(join(directory, "file"), "");
  expect(faultOf(() => ensureDataDirectory(join(directory, "file", "below")))).toMatchObject({
    code: "DATA_UNWRITABLE",
    message: expect.stringContaining("--data DIR") as string,
  });
});
