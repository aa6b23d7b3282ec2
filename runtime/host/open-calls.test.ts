import { FakeClock } from "@shallop/sdk/internal/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { type Expiring, OpenCalls } from "./open-calls.ts";

class Call implements Expiring<Call> {
  previous: Call | undefined;
  next: Call | undefined;
  readonly deadlineMs: number;
  readonly late: () => void;

  constructor(deadlineMs: number, late: () => void) {
    this.deadlineMs = deadlineMs;
    this.late = late;
  }
}

let clock: FakeClock;
let calls: OpenCalls<Call>;
let late: string[];

beforeEach(() => {
  clock = new FakeClock();
  calls = new OpenCalls(clock);
  late = [];
});

/** A call that ends when it is late. */
function add(name: string, afterMs: number, then?: () => void): Call {
  const call: Call = new Call(clock.nowMs() + afterMs, () => {
    late.push(name);
    calls.delete(call);
    then?.();
  });
  calls.add(call);
  return call;
}

describe("calls that are open", () => {
  test("each is told when its time is up, whatever the order in which they came", async () => {
    add("third", 300);
    add("first", 100);
    add("second", 200);
    for (const [ms, count] of [
      [99, 0],
      [1, 1],
      [100, 2],
      [100, 3],
    ] as const) {
      await clock.advance(ms);
      expect(late).toEqual(["first", "second", "third"].slice(0, count));
    }
    expect(calls.size).toBe(0);
  });

  test("are in the order of their deadlines, those of the same one as they came", () => {
    const times = [300, 100, 200, 100, 400, 50];
    const added = times.map((ms, index) => add(`${index}`, ms));
    expect([...calls]).toEqual([5, 1, 3, 2, 0, 4].map((index) => added[index]));
    expect(calls.mostUrgent).toBe(added[5]);
    calls.delete(added[5]!);
    expect(calls.mostUrgent).toBe(added[1]);
  });

  test("one that is over in time is not told, and the next one is, at its time", async () => {
    const over = add("over", 100);
    await clock.advance(50);
    const next = add("next", 100);
    calls.delete(over);
    expect(calls.mostUrgent).toBe(next);
    await clock.advance(99);
    expect(late).toEqual([]);
    await clock.advance(1);
    expect(late).toEqual(["next"]);
  });

  test("one that is late may make room for another", async () => {
    add("late", 100, () => void add("new", 10));
    add("last", 200);
    await clock.advance(110);
    expect(late).toEqual(["late", "new"]);
    await clock.advance(90);
    expect(late).toEqual(["late", "new", "last"]);
  });

  test("a time that is up already is told at once", async () => {
    add("past", 0);
    await clock.advance(0);
    expect(late).toEqual(["past"]);
  });
});
