import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { BreachNotices } from "./breach-notices.ts";

test("each kind is told at once, and again after a while as long as it goes on", async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const notices = new BreachNotices(clock, (reason, message) => told.push(`${reason}: ${message}`));
  for (let count = 0; count < 1000; count++) notices.met("GUEST_MEMORY", `no. ${count}`);
  notices.met("REFUSED", "full");
  expect(told).toEqual(["GuestMemory: no. 0", "Refused: full"]);
  await clock.advance(10_000);
  expect(told.slice(2)).toEqual(["GuestMemory: no. 999"]);
  await clock.advance(20_000);
  expect(told).toHaveLength(3);
  notices.met("REFUSED", "full again");
  expect(told.at(-1)).toBe("Refused: full again");
});
