import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRequest } from "./parse-request.ts";

test.each([
  { want: "tcp", host: "example.org", port: 443 },
  { want: "tcp", host: "::1", port: 1, keepAlive: { idleMs: 1000, intervalMs: 1000, count: 3 } },
  { want: "udp", family: 6 },
  { want: "addresses", host: "x" },
])("is asked: %j", (request) => {
  expect(parseRequest(request)).toEqual(request);
});

test.each([
  undefined,
  null,
  "tcp",
  [],
  {},
  { want: "tcp", host: "x" },
  { want: "tcp", host: "x", port: 0 },
  { want: "tcp", host: "x", port: 65_536 },
  { want: "tcp", host: "x", port: "80" },
  { want: "tcp", host: "", port: 80 },
  { want: "tcp", host: "a\0b", port: 80 },
  { want: "tcp", host: "x".repeat(300), port: 80 },
  { want: "tcp", host: { toString: "x" }, port: 80 },
  { want: "udp", family: 5 },
  { want: "listen", host: "x", port: 80 },
])("is not asked: %j", (request) => {
  expect(parseRequest(request)).toBeUndefined();
});

test("nothing makes it throw", () => {
  fc.assert(fc.property(fc.anything(), (value) => void parseRequest(value)));
});
