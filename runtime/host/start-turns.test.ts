import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { StartTurns } from "./start-turns.ts";

function turns() {
  const clock = new FakeClock();
  const starts = new StartTurns({ clock, atOnce: 2 });
  const begun: string[] = [];
  const over = new Map<string, () => void>();
  const start = (name: string): void =>
    void starts.take().then((done) => {
      begun.push(name);
      over.set(name, done);
    });
  for (const name of ["a", "b", "c", "d", "e"]) start(name);
  return { clock, begun, over, start };
}

test("two begin at once, and each further one in its order when one of them is over", async () => {
  const { clock, begun, over } = turns();
  await clock.advance(0);
  expect(begun).toEqual(["a", "b"]);
  over.get("b")?.();
  // Once is enough.
  over.get("b")?.();
  await clock.advance(0);
  expect(begun).toEqual(["a", "b", "c"]);
  over.get("a")?.();
  over.get("c")?.();
  await clock.advance(0);
  expect(begun).toEqual(["a", "b", "c", "d", "e"]);
});

test("one that is slow holds up the others for two seconds, and no turn is lost or made by it", async () => {
  const { clock, begun, over, start } = turns();
  await clock.advance(1_999);
  expect(begun).toEqual(["a", "b"]);
  await clock.advance(1);
  expect(begun).toEqual(["a", "b", "c", "d"]);
  for (const name of ["a", "b", "c", "d"]) over.get(name)?.();
  await clock.advance(0);
  expect(begun).toHaveLength(5);
  over.get("e")?.();
  for (const name of ["f", "g", "h"]) start(name);
  await clock.advance(0);
  expect(begun.slice(5)).toEqual(["f", "g"]);
});
