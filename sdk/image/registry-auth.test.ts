import { expect, test } from "vitest";
import { parseChallenge } from "./registry-auth.ts";
import { retryAfterMs } from "./registry-call.ts";

test.each([
  [
    'Bearer realm="https://a/t",service="s",scope="repository:a/b:pull,push"',
    { scheme: "bearer", parameters: { realm: "https://a/t", service: "s", scope: "repository:a/b:pull,push" } },
  ],
  [
    'bearer  realm = "x" , error="insufficient_scope"',
    { scheme: "bearer", parameters: { realm: "x", error: "insufficient_scope" } },
  ],
  ["Basic realm=simple", { scheme: "basic", parameters: { realm: "simple" } }],
  ['Basic realm="a \\"quoted\\" one"', { scheme: "basic", parameters: { realm: 'a "quoted" one' } }],
  [
    'Negotiate, Basic realm="b", Bearer realm="c",service="d"',
    { scheme: "bearer", parameters: { realm: "c", service: "d" } },
  ],
  ["Basic", { scheme: "basic", parameters: {} }],
  ['Bearer service="no realm"', undefined],
  ["Digest realm=x", undefined],
  ["", undefined],
  ["a".repeat(10_000), undefined],
])("parseChallenge %s", (header, expected) => {
  expect(parseChallenge(header)).toEqual(expected);
});

test("a challenge cannot put anything on prototypes", () => {
  const challenge = parseChallenge('Bearer realm="r", __proto__="x"');
  expect(Object.getPrototypeOf(challenge?.parameters)).toBe(Object.prototype);
});

test("retryAfterMs", () => {
  expect(retryAfterMs("3", 0)).toBe(3_000);
  expect(retryAfterMs("Thu, 01 Jan 1970 00:00:10 GMT", 4_000)).toBe(6_000);
  expect(retryAfterMs("Thu, 01 Jan 1970 00:00:10 GMT", 40_000)).toBe(0);
  expect(retryAfterMs("soon", 0)).toBeUndefined();
  expect(retryAfterMs(undefined, 0)).toBeUndefined();
});
