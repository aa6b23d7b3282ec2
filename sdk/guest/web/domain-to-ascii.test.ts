import { expect, test } from "vitest";
import { toASCII, toUnicode } from "./domain-to-ascii.ts";

test.each([
  ["Example.COM", "example.com"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["bu\u0308cher.example", "xn--bcher-kva.example"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  [`${"a".repeat(63)}.x`, `${"a".repeat(63)}.x`],
])("%s becomes %s", (domain, ascii) => {
  expect(toASCII(domain)).toBe(ascii);
});

test("a label that is too long is no host", () => {
  expect(toASCII(`${"a".repeat(64)}.x`)).toBeNull();
});

test("and back", () => {
  expect(toUnicode("xn--bcher-kva.example")).toEqual({ domain: "bücher.example", error: false });
});
