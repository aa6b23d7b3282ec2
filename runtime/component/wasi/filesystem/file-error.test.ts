import { constants } from "node:os";
import { expect, test } from "vitest";
import { FileFault, fileErrorOf } from "./file-error.ts";

const systemError = (code: string, errno: number): Error => Object.assign(new Error("failed"), { code, errno });

test.each([
  ["ENOENT", "no-entry"],
  ["ELOOP", "loop"],
  ["EROFS", "read-only"],
  ["EXDEV", "cross-device"],
  ["ETXTBSY", "text-file-busy"],
  ["EMFILE", "insufficient-memory"],
  ["EWHATEVER", "io"],
])("%s: %s", (code, expected) => {
  expect(fileErrorOf(systemError(code, -1_000_000))).toBe(expected);
});

test.each([
  ["EDQUOT", "quota"],
  ["EDEADLK", "deadlock"],
  ["ENOLCK", "no-lock"],
] as const)("%s, which libuv has no name for: %s", (name, expected) => {
  expect(fileErrorOf(systemError("Unknown system error", -constants.errno[name]))).toBe(expected);
});

test("what is ours keeps its code, what is nobody's is io", () => {
  expect(fileErrorOf(new FileFault("not-permitted", "x"))).toBe("not-permitted");
  expect(fileErrorOf("text")).toBe("io");
});
