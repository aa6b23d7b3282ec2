import { FakeClock } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import type { Instance, LoadedComponent } from "../component/engine.ts";
import { testContext } from "../component/wasi/context.fixture.ts";
import { InstancePool } from "./instance-pool.ts";

class Component implements LoadedComponent {
  readonly isConcurrent = false;
  made = 0;
  disposed = 0;
  failing = false;
  instantiate(): Promise<Instance> {
    if (this.failing) return Promise.reject(new Error("no"));
    this.made++;
    return Promise.resolve({
      handle: () => Promise.resolve(),
      memoryBytes: () => 0,
      breach: () => undefined,
      isWoken: () => false,
      dispose: () => {
        this.disposed++;
      },
    });
  }
}

function open(sizeMax = 2): { component: Component; clock: FakeClock; pool: InstancePool } {
  const component = new Component();
  const clock = new FakeClock();
  const { settings } = testContext().context;
  return { component, clock, pool: new InstancePool({ component, settings: () => settings, sizeMax, clock }) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("InstancePool", () => {
  test("makes the first at once and the next after a pause, and no more than it may", async () => {
    const { component, clock, pool } = open();
    pool.refill();
    pool.refill();
    await turn();
    expect(pool.size).toBe(1);
    await clock.advance(100);
    await turn();
    pool.refill();
    await clock.advance(100);
    expect([pool.size, component.made]).toEqual([2, 2]);
  });

  test("never gives the same instance twice, and makes one when none waits", async () => {
    const { component, pool } = open(1);
    pool.refill();
    await turn();
    const first = await pool.take();
    const second = await pool.take();
    expect(first).not.toBe(second);
    expect(component.made).toBe(2);
  });

  test("gives at once what is there, unless somebody waits already", async () => {
    const { pool } = open(1);
    expect(pool.takeNow()).toBeUndefined();
    pool.refill();
    await turn();
    const waiting = pool.take();
    expect(pool.takeNow()).toBeUndefined();
    await waiting;
    pool.refill();
    await turn();
    expect(pool.takeNow()).toBeDefined();
    expect(pool.takeNow()).toBeUndefined();
  });

  test("gives a crowd one instance in each turn, in the order in which they asked", async () => {
    const { component, pool } = open(1);
    const given: number[] = [];
    const all = [0, 1, 2].map((index) => pool.take().then(() => given.push(index)));
    expect(component.made).toBe(0);
    for (let made = 1; made <= 3; made++) {
      await turn();
      expect([component.made, given.length]).toEqual([made, made]);
    }
    await Promise.all(all);
    expect(given).toEqual([0, 1, 2]);
  });

  test("refuses who still waits when it is closed", async () => {
    const { pool } = open(1);
    const waiting = pool.take();
    pool.close();
    await expect(waiting).rejects.toMatchObject({ code: "GUEST_FAILED" });
  });

  test("does not hammer a guest that cannot be initialised, and tells the next request", async () => {
    const { component, clock, pool } = open();
    component.failing = true;
    pool.refill();
    await turn();
    await clock.advance(1000);
    expect(pool.size).toBe(0);
    await expect(pool.take()).rejects.toThrow("no");
  });

  test("drops what waits when it is closed, and what was being made", async () => {
    const { component, pool } = open(1);
    pool.refill();
    await turn();
    pool.close();
    expect([component.disposed, pool.size]).toEqual([1, 0]);
    pool.refill();
    await turn();
    expect(component.made).toBe(1);
  });
});
