import { expect, test } from "vitest";
import { barLines } from "./bars.ts";

const blob = (name: string, bytes: number, total: number) => ({ digest: `sha256:${name.repeat(64)}`, bytes, total });

test("a bar for each blob that is on its way, and one for all with rate and time to go", () => {
  const blobs = [blob("a", 50_000_000, 100_000_000), blob("b", 10, 10), blob("c", 0, 100_000_000)];
  const lines = barLines("pulling app:1", blobs, { columns: 120, elapsedMs: 5_000 });
  expect(lines).toHaveLength(4);
  expect(lines[0]).toBe("pulling app:1");
  expect(lines[1]).toMatch(/^ {2}aaaaaaaaaaaa █{20}░{20} {2}50% 50\.0 MB of 100 MB$/);
  expect(lines[2]).toMatch(/^ {2}cccccccccccc ░{40} {3}0%/);
  expect(lines[3]).toMatch(/^ {2}total {8}█{10}░{30} {2}25% 50\.0 MB of 200 MB, 10\.0 MB\/s, 15 s to go$/);
});

test("no line is longer than the terminal, however small it is, and many blobs are summed up", () => {
  const many = Array.from({ length: 50 }, (_, index) => blob(String(index % 10), 1, 3));
  for (const columns of [1, 10, 44, 45, 80, 200]) {
    const lines = barLines("x".repeat(300), many, { columns, elapsedMs: 2_000 });
    expect(lines.length).toBe(10);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(Math.max(1, columns - 1));
  }
});

test("nothing to move is all of it; a blob that has more bytes than it said is full", () => {
  expect(barLines("x", [], { columns: 84, elapsedMs: 0 }).at(-1)).toContain("100%");
  expect(barLines("x", [blob("a", 5, 3)], { columns: 84, elapsedMs: 0 }).at(-1)).toContain("100%");
});
