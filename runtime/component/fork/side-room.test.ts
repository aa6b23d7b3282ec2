import { describe, expect, test } from "vitest";
import { boundMemories, type MemoryBudget } from "../instance/memory-budget.ts";
import { pageCalls } from "./page-calls.ts";
import { SideRoom } from "./side-room.ts";

const page = 65_536;

/** Bounds the memories of this thread while `run` runs. */
function bounded(max: number, run: (used: () => number) => void): void {
  let used = 0;
  const budget: MemoryBudget = {
    max,
    take: (count) => {
      if (used + count > max) return false;
      used += count;
      return true;
    },
    give: (count) => void (used -= count),
    used: () => used,
    scarce: () => undefined,
  };
  boundMemories(budget);
  try {
    run(() => used);
  } finally {
    boundMemories({ ...budget, take: () => true, give: () => undefined });
  }
}

describe.skipIf(pageCalls() === undefined)("room beside the memories of guests", () => {
  test("places are apart, of one size each, and used again", () => {
    const room = new SideRoom();
    const places = Array.from({ length: 8 }, (_, index) => room.take(index % 2 === 0 ? page : 3 * page)!);
    const ends = places.map((place, index) => place + BigInt(index % 2 === 0 ? page : 3 * page));
    for (const [index, place] of places.entries()) {
      expect(places.every((other, at) => at === index || other >= ends[index]! || ends[at]! <= place)).toBe(true);
    }
    room.give(places[1]!, 3 * page);
    expect(room.take(page)).not.toBe(places[1]);
    expect(room.take(3 * page)).toBe(places[1]);
  });

  test("is bounded with the memories of the process, and gives back what a crowd has needed", () => {
    bounded(40, (used) => {
      const room = new SideRoom();
      const places: bigint[] = [];
      for (let place = room.take(page); place !== undefined; place = room.take(page)) places.push(place);
      expect(places, "and one memory that they are in").toHaveLength(39);
      expect(used()).toBe(40);
      for (const place of places) room.give(place, page);
      expect(used()).toBe(1);
      expect(room.take(page)).toBe(places[0]);
      room.dispose();
      expect(room.take(page), "what waits there stays").toBe(places[0]! + BigInt(page));
    });
  });

  test("has no place that is larger than itself", () => {
    expect(new SideRoom().take(2 ** 31)).toBeUndefined();
  });
});
