import { expect, test } from "vitest";
import { StandIns } from "./stand-ins.ts";

test("the same address for the same one while he is asked for, and nobody else's", () => {
  const standIns = new StandIns();
  const [a, b] = [standIns.of("a"), standIns.of("b")];
  expect([a, b, standIns.of("a")]).toEqual(["10.104.0.1", "10.104.0.2", "10.104.0.1"]);
  standIns.endRound();
  expect([standIns.of("b"), standIns.of("c")]).toEqual([b, "10.104.0.3"]);
  standIns.endRound();
  standIns.endRound();
  expect(standIns.of("b")).toBe("10.104.0.4");
});
