import { beforeEach, describe, expect, test, vi } from "vitest";
import { clearTimer, enqueueMicrotask, ready, runUntil, setTimer } from "./loop.ts";
import { now, Pollable, pollCount, resetWasi } from "./wasi.fake.ts";

beforeEach(resetWasi);

describe("the loop", () => {
  test("runs microtasks first, then timers by their time, equal ones in order", () => {
    const order: string[] = [];
    const late = (name: string) => (): void => void order.push(name);
    setTimer(20, late("20"));
    setTimer(10, late("10 a"));
    setTimer(10, () => {
      order.push("10 b");
      enqueueMicrotask(late("microtask of 10 b"));
    });
    setTimer(0, late("0"));
    enqueueMicrotask(() => {
      order.push("microtask");
      enqueueMicrotask(late("microtask of it"));
    });
    runUntil(() => order.length === 7);
    expect(order).toEqual(["microtask", "microtask of it", "0", "10 a", "10 b", "microtask of 10 b", "20"]);
    expect(now()).toBe(20e6);
  });

  test("a timer that is cleared never runs", () => {
    let ran = false;
    const id = setTimer(5, () => (ran = true));
    let isOver = false;
    setTimer(10, () => (isOver = true));
    clearTimer(id);
    runUntil(() => isOver);
    expect(ran).toBe(false);
  });

  test.each([Number.NaN, -5, 2 ** 31, Infinity, undefined])("a delay of %s is none", (delay) => {
    let ran = false;
    setTimer(delay as number, () => (ran = true));
    runUntil(() => ran);
    expect(now()).toBe(0);
  });

  test("wakes what waits for the host, and disposes of it", async () => {
    const pollable = new Pollable(30e6);
    let isWoken = false;
    const waiting = ready(pollable).then(() => undefined);
    setTimer(30, () => (isWoken = true));
    runUntil(() => isWoken);
    await waiting;
    expect([pollable.isDisposed, now()]).toEqual([true, 30e6]);
  });

  test("timers that are always due do not starve what waits for the host", () => {
    const pollable = new Pollable(0);
    void ready(pollable);
    let rounds = 0;
    let last = 0;
    const again = (): void => {
      rounds += 1;
      last = setTimer(0, again);
    };
    again();
    runUntil(() => pollable.isDisposed || rounds > 100);
    expect(pollable.isDisposed).toBe(true);
    clearTimer(last);
  });

  test("blocks once for a wait, and does not spin", () => {
    let ran = false;
    setTimer(1000, () => (ran = true));
    runUntil(() => ran);
    expect(pollCount()).toBe(1);
  });

  test("a callback that throws is printed, and the others run", () => {
    const printed = vi.spyOn(console, "error").mockReturnValue();
    let ran = false;
    const broken = (): void => {
      throw new Error("on purpose");
    };
    enqueueMicrotask(broken);
    setTimer(0, broken);
    setTimer(1, () => (ran = true));
    runUntil(() => ran);
    expect(printed).toHaveBeenCalledTimes(2);
    printed.mockRestore();
  });

  test("with nothing left to happen says so", () => {
    expect(() => runUntil(() => false)).toThrow("nothing will ever settle");
  });
});
