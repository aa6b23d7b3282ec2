import { expect, test } from "vitest";
import { affinityOf } from "./affinity.ts";

const facts = {
  address: "10.0.0.9",
  target: "/carts/7?x=1",
  headers: ["x-user", "ada", "y", "x-user", "x-user", "eve"],
};

test.each([
  [undefined, undefined],
  ["client", "10.0.0.9"],
  ["path", "/carts/7"],
  // The first of the name, and no value that looks like it.
  ["header:X-User", "ada"],
  ["header:x-none", undefined],
])("by %s: %s", (hashBy, affinity) => {
  expect(affinityOf(hashBy, facts)).toBe(affinity);
});
