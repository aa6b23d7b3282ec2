import { expect, test } from "vitest";
import { BreachCounts, sharedBreaches } from "./breach-counts.ts";
import { checkedUse, type HostUse } from "./host-use.ts";

test("limits that were met are counted over all threads, those that nobody foresaw together", () => {
  const shared = sharedBreaches();
  const one = new BreachCounts(shared);
  const other = new BreachCounts(shared);
  one.add("GUEST_MEMORY");
  other.add("GUEST_MEMORY");
  other.add("SOMETHING_NEW");
  expect(one.all()).toEqual({ GUEST_MEMORY: 2, OTHER: 1 });
});

test("what a process says of itself is numbers of what we know, or nothing", () => {
  const use: HostUse = { threads: 1, instances: 2, requests: 3, cpuMs: 4.5, memoryBytes: 6, breaches: { REFUSED: 1 } };
  expect(checkedUse(use)).toEqual(use);
  const said = (change: object): HostUse => ({ ...use, ...change });
  expect(checkedUse(said({ threads: "1" }))).toBeUndefined();
  expect(checkedUse(said({ memoryBytes: -1 }))).toBeUndefined();
  expect(checkedUse(said({ breaches: undefined }))?.breaches).toEqual({});
  expect(checkedUse(said({ breaches: { REFUSED: Number.NaN, "x{}": 1, GUEST_CPU: 2 } }))?.breaches).toEqual({
    GUEST_CPU: 2,
  });
});
