import { ApiFault } from "@shallop/sdk/api";
import { type Log, silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import { Metrics, prometheusText } from "@shallop/sdk/internal/telemetry";
import { reconcileDurations } from "../controllers-metrics.ts";
import { WorkQueue } from "./work-queue.ts";

function start(reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>, concurrency = 2) {
  const clock = new FakeClock();
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (message) => void errors.push(message) };
  const queue = new WorkQueue({ name: "test", clock, log, concurrency, reconcile });
  queue.start();
  return { clock, errors, queue };
}

describe("WorkQueue", () => {
  test("a key that is added often is looked at once", async () => {
    const seen: string[] = [];
    const { clock, queue } = start(async (key) => void seen.push(key));
    for (let count = 0; count < 5; count++) queue.add("a");
    queue.add("b");
    await clock.advance(0);
    expect(seen).toEqual(["a", "b"]);
  });

  test("how long a look takes is measured, and what it failed of", async () => {
    const metrics = new Metrics();
    const durations = reconcileDurations(metrics);
    const clock = new FakeClock();
    const reconcile = async (key: string): Promise<undefined> => {
      await clock.sleep(20);
      if (key === "b") throw new ApiFault("Forbidden", "no");
    };
    const queue = new WorkQueue({ name: "test", clock, log: silentLog, concurrency: 2, reconcile, durations });
    queue.start();
    queue.add("a");
    queue.add("b");
    await clock.advance(0);
    await clock.advance(20);
    const text = prometheusText(await metrics.collect());
    const name = "kn_workqueue_process_duration_seconds";
    expect(text).toContain(`${name}_sum{kn_workqueue_name="test",error_type=""} 0.02\n`);
    expect(text).toContain(`${name}_count{kn_workqueue_name="test",error_type="Forbidden"} 1\n`);
    await queue.stop();
  });

  test("one that is added while it is worked on is looked at again afterwards, never twice at once", async () => {
    let running = 0;
    let runs = 0;
    const { clock, queue } = start(async () => {
      expect(++running).toBe(1);
      if (++runs === 1) queue.add("a");
      await Promise.resolve();
      running--;
      return undefined;
    });
    queue.add("a");
    await clock.advance(0);
    expect(runs).toBe(2);
  });

  test("no more keys at once than allowed", async () => {
    let running = 0;
    let most = 0;
    const gates: (() => void)[] = [];
    const { clock, queue } = start(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => gates.push(resolve));
      running--;
      return undefined;
    });
    for (const key of ["a", "b", "c", "d"]) queue.add(key);
    await clock.advance(0);
    expect(running).toBe(2);
    while (gates.length > 0) {
      gates.shift()?.();
      await clock.advance(0);
    }
    expect(most).toBe(2);
    expect(running).toBe(0);
  });

  test("nothing is worked on before the start", async () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    const reconcile = async (key: string): Promise<undefined> => void seen.push(key);
    const queue = new WorkQueue({ name: "test", clock, log: silentLog, concurrency: 1, reconcile });
    queue.add("a");
    await clock.advance(1000);
    expect(seen).toEqual([]);
    queue.start();
    await clock.advance(0);
    expect(seen).toEqual(["a"]);
  });

  test("a key that asks for it is looked at again, at the earliest of the times that were asked for", async () => {
    const times: number[] = [];
    const { clock, queue } = start(async () => {
      times.push(clock.nowMs());
      return times.length === 1 ? 500 : undefined;
    });
    queue.add("a");
    await clock.advance(0);
    queue.addAfter("a", 9000);
    queue.addAfter("a", 200);
    await clock.advance(20_000);
    expect(times).toEqual([0, 200]);
  });

  test("a failure is logged, and tried again after pauses that grow to 30 s; others go on", async () => {
    const times: number[] = [];
    let others = 0;
    const { clock, errors, queue } = start(async (key) => {
      if (key === "other") return void others++;
      times.push(clock.nowMs());
      throw new Error("a bug");
    });
    queue.add("bad");
    await clock.advance(800);
    queue.add("other");
    await clock.advance(0);
    expect(times).toEqual([0, 100, 300, 700]);
    expect(others).toBe(1);
    expect(errors).toHaveLength(4);
    await clock.advance(600_000);
    expect(times.at(-1)! - times.at(-2)!).toBe(30_000);
  });

  test("a lost race is no error, and is looked at again at once", async () => {
    const times: number[] = [];
    const { clock, errors, queue } = start(async () => {
      times.push(clock.nowMs());
      if (times.length < 3) throw new ApiFault("Conflict", "another write came first");
      return undefined;
    });
    queue.add("a");
    await clock.advance(1000);
    expect(times).toEqual([0, 20, 40]);
    expect(errors).toEqual([]);
  });

  test("a stop waits for what runs, and starts nothing more", async () => {
    let runs = 0;
    let gate = (): void => undefined;
    const { clock, queue } = start(async (_key, signal) => {
      runs++;
      await new Promise<void>((resolve) => (gate = resolve));
      expect(signal.aborted).toBe(true);
      return 10;
    });
    queue.add("a");
    await clock.advance(0);
    queue.add("a");
    let stopped = false;
    const stop = queue.stop().then(() => (stopped = true));
    await clock.advance(0);
    expect(stopped).toBe(false);
    gate();
    await stop;
    queue.add("b");
    await clock.advance(1000);
    expect(runs).toBe(1);
  });
});
