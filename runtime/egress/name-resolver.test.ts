import type { LookupAddress } from "node:dns";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { NameResolver } from "./name-resolver.ts";

const bounds = { atOnceMax: 2, waitingMax: 3, ratePerS: 10, burst: 20 };
const found: readonly LookupAddress[] = [{ address: "1.1.1.1", family: 4 }];

test("ten thousand names in a second are bounded, and the pod is told so", async () => {
  const clock = new FakeClock();
  let asked = 0;
  const names = new NameResolver(
    () => {
      asked++;
      return Promise.resolve(found);
    },
    clock,
    { ...bounds, atOnceMax: 20_000 },
  );
  const all = await Promise.allSettled(
    Array.from({ length: 10_000 }, (_, index) => names.addressesOf(`n${index}.test`)),
  );
  expect(asked).toBe(20);
  expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(20);
  await expect(names.addressesOf("one.more.test")).rejects.toMatchObject({ code: "LIMIT" });
  await clock.advance(1000);
  expect(await names.addressesOf("later.test")).toEqual(found);
});

test("few are asked at once, some wait, more are refused", async () => {
  const clock = new FakeClock();
  const answers: (() => void)[] = [];
  const names = new NameResolver(() => new Promise((resolve) => answers.push(() => resolve(found))), clock, bounds);
  const asked = Array.from({ length: 6 }, () => names.addressesOf("slow.test"));
  await expect(asked[5]).rejects.toMatchObject({ code: "LIMIT" });
  expect(answers).toHaveLength(2);
  for (let index = 0; index < 5; index++) {
    answers[index]?.();
    await asked[index];
  }
  expect(answers).toHaveLength(5);
});

test("a name that does not resolve is DNS, and gives its turn back", async () => {
  const names = new NameResolver(() => Promise.reject(new Error("SERVFAIL")), new FakeClock(), bounds);
  for (let round = 0; round < 5; round++) {
    await expect(names.addressesOf("gone.test")).rejects.toMatchObject({ code: "DNS" });
  }
});
