import { describe, expect, test } from "vitest";
import { Glob } from "./glob.ts";
import { Ignore } from "./ignore.ts";

describe("Ignore", () => {
  // As moby's patternmatcher has them.
  test.each([
    ["**", "file", true],
    ["**/", "dir/file", true],
    ["**/file", "file", true],
    ["**/file", "a/b/file", true],
    ["**/file", "a/filed", false],
    ["dir/**", "dir/file", true],
    ["dir/**", "dir", false],
    ["**/*.txt", "a/b.txt", true],
    ["**/**/*.txt", "a/b/c.txt", true],
    ["a**/*.txt", "a/file/b.txt", true],
    ["*.md", "README.md", true],
    ["*.md", "docs/README.md", false],
    ["docs", "docs/a/b", true],
    ["/docs/", "docs/a", true],
    ["./docs", "docs", true],
    ["a/../docs", "docs", true],
    ["f?le", "file", true],
    ["[a-c]x", "bx", true],
    ["[^a-c]x", "bx", false],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["a.c", "abc", false],
    ["# comment", "# comment", false],
    ["", "a", false],
    [".", "a", false],
  ])("%j on %j: %s", (pattern, path, expected) => {
    expect(Ignore.parse(pattern).ignores(path)).toBe(expected);
  });

  test("the last pattern that matches decides", () => {
    const ignore = Ignore.parse("*\n!src\nsrc/secret\n!src/secret/ok.txt\n");
    const paths = ["a", "src/a", "src/secret/key", "src/secret/ok.txt"];
    expect(paths.map((path) => ignore.ignores(path))).toEqual([true, false, true, false]);
    expect(ignore.keepsSome).toBe(true);
  });

  test.each(["[a", "a\\", "!", "[]a]"])("%j is refused", (pattern) => {
    expect(() => Ignore.parse(pattern)).toThrow(expect.objectContaining({ code: "CONTEXT_INVALID" }));
  });

  test("a file of too many patterns is refused", () => {
    expect(() => Ignore.parse("a\n".repeat(3000))).toThrow(/more than/);
  });
});

test("a pattern that makes regular expressions slow is quick", () => {
  const glob = Glob.path(`${"*a".repeat(30)}b`);
  const began = performance.now();
  expect(glob?.matches("a".repeat(2_000))).toBe(false);
  // A regular expression needs longer than the universe has.
  expect(performance.now() - began).toBeLessThan(20_000);
});

test("a star stops at slashes, a shell's does not", () => {
  expect(Glob.path("*")?.matches("a/b")).toBe(false);
  expect(Glob.shell("*", "\\").matches("a/b")).toBe(true);
});
