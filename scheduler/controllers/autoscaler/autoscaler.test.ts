import { EventRecorder } from "@shallop/sdk/client";
import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import { createApi } from "../../api/api.ts";
import { inProcessClient } from "../../api/client.ts";
import { controllersUser } from "../../api/user.ts";
import { parseConfig } from "../../autoscale/config.ts";
import { IdleBook } from "../../autoscale/idle-book.ts";
import type { PodCounts } from "../../autoscale/revision-scaler.ts";
import { seededRandom } from "@shallop/sdk/internal/testing";
import { FakeStore } from "../../store/store.fake.ts";
import { revision } from "../plans.fixture.ts";
import { Autoscaler } from "./autoscaler.ts";

const counts = (more: Partial<PodCounts> = {}): PodCounts => ({
  pods: 0,
  ready: 0,
  reachable: true,
  initialized: true,
  activation: undefined,
  activated: 0,
  prepared: true,
  native: false,
  ...more,
});

async function start(settings: readonly string[] = []) {
  const clock = new FakeClock();
  const random = seededRandom(1);
  const api = await createApi({ store: new FakeStore(), clock, random, log: silentLog });
  const events = new EventRecorder(inProcessClient(api, controllersUser), { component: "test", clock, random });
  const changed: string[] = [];
  const onChange = (key: string): void => void changed.push(key);
  const usage: { load: { cpu: number; memory: number } | undefined; asked: string[] } = { load: undefined, asked: [] };
  const autoscaler = new Autoscaler({
    config: parseConfig(settings),
    usage: {
      of: () => usage.load,
      refresh: (revisions) => {
        usage.asked.push(...revisions.map(({ metadata }) => metadata.name));
        return Promise.resolve();
      },
    },
    idleTimes: new IdleBook(),
    clock,
    log: silentLog,
    events,
    onChange,
  });
  autoscaler.start();
  const report = (averageConcurrency: number, waiting = 0, name = "hello-00001"): void => {
    const load = { namespace: "default", revision: name, averageConcurrency, requestCount: 1, periodMs: 1000, waiting };
    autoscaler.report({ gateway: "a", revisions: [load] });
  };
  return { clock, autoscaler, changed, report, usage };
}

describe("Autoscaler", () => {
  test("requests that wait for a revision without pods are decided on at once", async () => {
    const { autoscaler, changed, report } = await start();
    expect(autoscaler.wanted(revision(1), counts()).want).toBe(0);
    report(0.01, 1000);
    expect(changed).toEqual(["default/hello-00001"]);
    // 1000 / 70, and a panic.
    expect(autoscaler.wanted(revision(1), counts())).toMatchObject({
      want: 15,
      initialScale: 1,
      activity: "activating",
    });
  });

  test("those of a revision with pods wait for the tick, each two seconds", async () => {
    const { clock, autoscaler, changed, report } = await start();
    autoscaler.wanted(revision(1), counts({ pods: 1, ready: 1 }));
    report(300, 5);
    await clock.advance(1999);
    expect(changed).toEqual([]);
    report(300);
    await clock.advance(1);
    expect(autoscaler.wanted(revision(1), counts({ pods: 1, ready: 1 })).want).toBe(5);
    expect(changed).toEqual(["default/hello-00001"]);
  });

  test("a report of a revision that nobody knows is no matter", async () => {
    const { clock, autoscaler, report, changed } = await start();
    report(5, 5, "unknown");
    await clock.advance(4000);
    expect(autoscaler.decisions("default/unknown")).toEqual([]);
    expect(changed).toEqual([]);
  });

  test("a revision that was deleted and made anew begins anew", async () => {
    const { autoscaler, report } = await start();
    autoscaler.wanted(revision(1), counts());
    report(100, 100);
    const made = revision(1, {}, { uid: "another" });
    expect(autoscaler.wanted(made, counts()).want).toBe(0);
    autoscaler.forget("default/hello-00001");
    expect(autoscaler.decisions("default/hello-00001")).toEqual([]);
  });

  test("of several signals the one that asks for the most pods has them, and the decision says which", async () => {
    const { clock, autoscaler, report, usage } = await start();
    const annotations = { "autoscaling.shallop.dev/signals": "cpu=80,queue=5,memory=1000" };
    const scaled = revision(1, {}, { annotations });
    autoscaler.wanted(scaled, counts({ pods: 1, ready: 1 }));
    usage.load = { cpu: 240, memory: 300 };
    report(60, 4);
    await clock.advance(2000);
    expect(autoscaler.wanted(scaled, counts({ pods: 1, ready: 1 })).want).toBe(3);
    const decision = autoscaler.decisions("default/hello-00001").at(-1);
    expect(decision).toMatchObject({
      formula: "cpu: ceil(stable 240 / target 80) = 3 (concurrency 1, queue 1, memory 0)",
      inputs: { signal: "cpu", stableCpuPercent: 240, cpuTarget: 80, stableQueueDepth: 4, stableConcurrency: 60 },
    });
    expect(usage.asked).toContain("hello-00001");
    // A node that does not answer is no reason to take its pods away, and what one pod idles with is none to keep it.
    usage.load = undefined;
    autoscaler.wanted(scaled, counts({ pods: 3, ready: 3 }));
    await clock.advance(70_000);
    expect(autoscaler.wanted(scaled, counts({ pods: 3, ready: 3 })).want).toBe(3);
    usage.load = { cpu: 5, memory: 100 };
    autoscaler.wanted(scaled, counts({ pods: 1, ready: 1 }));
    await clock.advance(130_000);
    expect(autoscaler.wanted(scaled, counts({ pods: 1, ready: 1 })).want).toBe(0);
  });

  test("pods that nodes have made for a burst stay as in a panic, though the load has not shown it", async () => {
    const { clock, autoscaler } = await start();
    const more = counts({ pods: 3, ready: 3, activation: "2026-01-01T00:00:01.000000Z", activated: 3 });
    autoscaler.wanted(revision(1), counts());
    expect(autoscaler.wanted(revision(1), more).want).toBe(3);
    await clock.advance(30_000);
    expect(autoscaler.wanted(revision(1), more).want).toBe(3);
    expect(autoscaler.decisions("default/hello-00001").at(-1)?.formula).toContain("peak 3");
    // Those that were taken away since are no burst.
    await clock.advance(40_000);
    expect(autoscaler.wanted(revision(1), { ...more, pods: 2, ready: 2, activated: 2 }).want).toBeLessThan(3);
  });

  test("class hpa follows the processor, within its tolerance, and keeps a pod", async () => {
    const { clock, autoscaler, usage } = await start();
    const annotations = { "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev" };
    const scaled = revision(1, {}, { annotations });
    const wantedAt = async (cpu: number, ready: number): Promise<number> => {
      autoscaler.wanted(scaled, counts({ pods: ready, ready }));
      usage.load = { cpu, memory: 0 };
      await clock.advance(20_000);
      return autoscaler.wanted(scaled, counts({ pods: ready, ready })).want;
    };
    expect(await wantedAt(85, 1)).toBe(1);
    expect(await wantedAt(90, 1)).toBe(2);
    expect(await wantedAt(171, 2)).toBe(2);
    // Five minutes without a need.
    expect(await wantedAt(0, 2)).toBe(2);
    await clock.advance(300_000);
    expect(await wantedAt(0, 2)).toBe(1);
    await clock.advance(300_000);
    expect(await wantedAt(0, 1)).toBe(1);
  });

  test("nodes are not asked for revisions that are scaled by their requests", async () => {
    const { clock, autoscaler, usage } = await start();
    autoscaler.wanted(revision(1), counts({ pods: 1, ready: 1 }));
    await clock.advance(20_000);
    expect(usage.asked).toEqual([]);
  });

  test("stopped, it decides nothing", async () => {
    const { clock, autoscaler, report } = await start();
    autoscaler.wanted(revision(1), counts({ pods: 1, ready: 1 }));
    const before = autoscaler.decisions("default/hello-00001");
    autoscaler[Symbol.dispose]();
    report(300);
    await clock.advance(10_000);
    expect(autoscaler.decisions("default/hello-00001")).toEqual(before);
  });
});
