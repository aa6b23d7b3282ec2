import { expect, test } from "vitest";
import { systemRandom } from "./random.ts";

test("uuids are of version 4, and none comes twice", () => {
  const uuids = Array.from({ length: 5000 }, () => systemRandom.uuid());
  for (const uuid of uuids)
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(uuids).size).toBe(uuids.length);
});

test("every bit of a uuid but those of its version and variant is chance", () => {
  const counts = Array.from({ length: 128 }, () => 0);
  for (let round = 0; round < 2000; round++) {
    const bits = BigInt(`0x${systemRandom.uuid().replaceAll("-", "")}`);
    for (let bit = 0; bit < 128; bit++) if ((bits >> BigInt(bit)) & 1n) counts[bit]!++;
  }
  const fixed = counts.filter((count) => count === 0 || count === 2000).length;
  expect(fixed).toBe(6);
  // Nine standard deviations.
  for (const count of counts) if (count !== 0 && count !== 2000) expect(Math.abs(count - 1000)).toBeLessThan(200);
});
