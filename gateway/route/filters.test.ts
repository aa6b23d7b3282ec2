import { describe, expect, test } from "vitest";
import { changeHeaders, changePath, compileHeaders, redirectLocation } from "./filters.ts";

// The table of HTTPPathModifier's documentation.
test.each([
  ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
  ["/foo", "/foo", "/xyz", "/xyz"],
  ["/foo/", "/foo", "/xyz", "/xyz/"],
  ["/foo/bar", "/foo", "", "/bar"],
  ["/foo/", "/foo", "", "/"],
  ["/foo", "/foo", "", "/"],
  ["/foo/", "/foo", "/", "/"],
  ["/foo", "/foo", "/", "/"],
  ["/foo/bar?x=1", "/foo", "/", "/bar?x=1"],
])("%s with the prefix %s replaced by %j is %s", (target, prefix, replacePrefixMatch, changed) => {
  expect(changePath(target, { type: "ReplacePrefixMatch", replacePrefixMatch }, prefix)).toBe(changed);
});

test("a whole path is replaced, its query stays unless there is a new one", () => {
  expect(changePath("/a/b?c=d", { type: "ReplaceFullPath", replaceFullPath: "/x" }, "/a")).toBe("/x?c=d");
  expect(changePath("/a/b?c=d", { type: "ReplaceFullPath", replaceFullPath: "/x?e=f" }, "/a")).toBe("/x?e=f");
});

test("headers: remove, set and add", () => {
  const changes = compileHeaders([
    { set: [{ name: "A", value: "1" }], add: [{ name: "b", value: "2" }], remove: ["C"] },
  ]);
  expect(changeHeaders(["a", "0", "b", "1", "c", "x"], changes)).toEqual(["b", "1", "a", "1", "b", "2"]);
  expect(compileHeaders([undefined, {}])).toBeUndefined();
});

describe("Location of a redirect", () => {
  const request = { scheme: "http", host: "a.com", port: 8080, target: "/x?y=z", prefix: "/x" } as const;
  test.each([
    [{}, "http://a.com:8080/x?y=z"],
    [{ scheme: "https" }, "https://a.com/x?y=z"],
    [{ hostname: "b.com" }, "http://b.com:8080/x?y=z"],
    [{ scheme: "https", port: 8443 }, "https://a.com:8443/x?y=z"],
    [{ port: 80 }, "http://a.com/x?y=z"],
    [{ path: { type: "ReplaceFullPath", replaceFullPath: "/new" } }, "http://a.com:8080/new?y=z"],
  ] as const)("%j", (filter, location) => {
    expect(redirectLocation(filter, request)).toBe(location);
  });
});
