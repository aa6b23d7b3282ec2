import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { IdRanges } from "./id-ranges.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-id-ranges-"));
});
afterEach(async () => rm(directory, { recursive: true, force: true }));

test("ranges do not overlap, those of other nodes neither; a pod keeps its own over a restart of the agent", async () => {
  const [one, other] = [new IdRanges(directory, "00000a"), new IdRanges(directory, "00000a")];
  const neighbour = new IdRanges(directory, "00000b");
  const ranges = await Promise.all([one.claim("a"), one.claim("b"), neighbour.claim("a"), neighbour.claim("b")]);
  const firsts = ranges.map((range) => range?.first ?? 0).toSorted((a, b) => a - b);
  for (const [index, first] of firsts.entries()) {
    // Above subordinate ids, below cells, and 65,536 apart.
    expect(first).toBeGreaterThanOrEqual(1 << 24);
    expect(first + 65_536).toBeLessThanOrEqual(0x7000_0000);
    if (index > 0) expect(first - (firsts[index - 1] ?? 0)).toBeGreaterThanOrEqual(65_536);
  }
  expect(await other.claim("a")).toEqual(ranges[0]);
});

test("what is released or swept is free, what lives and what is another node's stays", async () => {
  const [one, neighbour] = [new IdRanges(directory, "00000a"), new IdRanges(directory, "00000b")];
  for (const key of ["a", "b", "c"]) await one.claim(key);
  await neighbour.claim("a");
  await one.release("a");
  await one.release("a");
  expect(await readdir(directory)).toHaveLength(3);
  await one.sweep(new Set(["b"]));
  expect(await readdir(directory)).toHaveLength(2);
});

test("a range that is handed on is the other's, and what was handed half is nobody's", async () => {
  const ranges = new IdRanges(directory, "00000a");
  const spare = await ranges.claim("spare-1");
  await ranges.hand(spare!, "a");
  expect(await ranges.claim("a")).toEqual(spare);
  expect(await ranges.release("spare-1")).toEqual([]);
  await symlink("00000a-b", join(directory, "7.next"));
  await ranges.sweep(new Set());
  expect(await ranges.release("a")).toEqual([]);
});

test("a range that was just given back is not the next one", async () => {
  const ranges = new IdRanges(directory, "00000a");
  const first = await ranges.claim("a");
  await ranges.release("a");
  expect(await ranges.claim("b")).not.toEqual(first);
});
