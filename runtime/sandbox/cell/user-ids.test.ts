import { expect, test } from "vitest";
import { idsPerNode, UserIds } from "./user-ids.ts";

test("no id is given twice while it is taken, and a freed one comes back last", () => {
  const ids = new UserIds("/var/lib/shallop/node");
  const taken = Array.from({ length: idsPerNode }, () => ids.take());
  expect(new Set(taken).size).toBe(idsPerNode);
  expect(ids.take()).toBeUndefined();
  ids.release(taken[7]!);
  expect(ids.take()).toBe(taken[7]);
});

test("one that was freed a moment ago is not the next", () => {
  const ids = new UserIds("node");
  const first = ids.take()!;
  ids.release(first);
  expect(ids.take()).not.toBe(first);
});

test("one that an earlier agent has given is not given again", () => {
  const first = new UserIds("node").take()!;
  const ids = new UserIds("node");
  ids.reserve(first);
  expect(ids.take()).toBe(first + 1);
});

test("nodes have ranges of their own, above those of people and containers and within 31 bits", () => {
  const firsts = ["/a/node", "/b/node"].map((node) => new UserIds(node).take()!);
  expect(Math.abs(firsts[0]! - firsts[1]!)).toBeGreaterThanOrEqual(idsPerNode);
  for (const first of firsts) {
    expect(first).toBeGreaterThanOrEqual(0x7000_0000);
    expect(first + idsPerNode).toBeLessThan(2 ** 31);
  }
});
