import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultConfig, parseConfig } from "./config.ts";
import { decisionsMax, withDecision } from "./history.ts";
import { IdleTimes } from "./idle-times.ts";
import { type Moment, type PodCounts, RevisionScaler } from "./revision-scaler.ts";
import { parseSpec, type ScaleSpec } from "./spec.ts";

/** A revision on a clock of its own: each second a load is recorded, each two seconds a decision is made. */
class World {
  readonly scaler: RevisionScaler;
  nowMs = 0;
  counts: PodCounts;

  constructor(spec: Partial<ScaleSpec> = {}, counts: Partial<PodCounts> = {}, idle = new IdleTimes()) {
    this.counts = {
      ...{
        pods: 0,
        ready: 0,
        reachable: true,
        initialized: true,
        prepared: true,
        activation: undefined,
        activated: 0,
        native: false,
      },
      ...counts,
    };
    this.scaler = new RevisionScaler({ ...parseSpec({}, 0, defaultConfig), ...spec }, this.counts, { nowMs: 0, idle });
  }

  get moment(): Moment {
    return { nowMs: this.nowMs, wallMs: this.nowMs };
  }

  /** Lets seconds pass under a load; pods become what is wanted, at once. */
  pass(seconds: number, concurrency: number, follow = true): number {
    for (let second = 0; second < seconds; second++) {
      this.nowMs += 1000;
      if (this.counts.ready > 0 || concurrency > 0) this.scaler.record(this.moment, { concurrency, rps: concurrency });
      if (this.nowMs % 2000 === 0) this.decide();
      if (follow) this.set({ pods: this.scaler.want, ready: this.scaler.want });
    }
    return this.scaler.want;
  }

  set(counts: Partial<PodCounts>): void {
    this.counts = { ...this.counts, ...counts };
  }

  decide() {
    return this.scaler.decide({ nowMs: this.nowMs, wallMs: this.nowMs }, this.counts);
  }
}

describe("life of a revision", () => {
  test("a new one wants its initial scale until it was reached, and then goes to zero", () => {
    const world = new World({ initialScale: 3 }, { initialized: false });
    expect(world.scaler.want).toBe(3);
    world.set({ pods: 3, ready: 1 });
    expect(world.pass(20, 0, false)).toBe(3);
    expect(world.scaler.decisions.at(-1)?.bound).toBe("initial-scale 3 was not reached yet");
    world.set({ ready: 3, initialized: true });
    // Half at each decision, and the last one after the window of the time since it is active.
    expect(world.pass(10, 0)).toBe(1);
    expect(world.pass(60, 0)).toBe(0);
  });

  test("with defaults the last pod goes 60 s after the last request", () => {
    const world = new World();
    expect(world.pass(10, 50)).toBe(1);
    const atMs = world.nowMs;
    while (world.pass(1, 0) > 0) expect(world.nowMs - atMs).toBeLessThan(100_000);
    expect(world.nowMs - atMs).toBeGreaterThanOrEqual(60_000);
    expect(world.nowMs - atMs).toBeLessThanOrEqual(64_000);
  });

  test("requests that were not held before: the grace period comes on top", () => {
    const world = new World({ targetBurstCapacity: 0 });
    world.pass(10, 50);
    const atMs = world.nowMs;
    while (world.pass(1, 0) > 0) expect(world.nowMs - atMs).toBeLessThan(100_000);
    expect(world.nowMs - atMs).toBeGreaterThanOrEqual(90_000);
    expect(world.scaler.decisions.some(({ bound }) => bound === "scale-to-zero-grace-period 30s")).toBe(true);
  });

  test("the retention period keeps the last pod", () => {
    const world = new World({ podRetentionMs: 120_000 });
    world.pass(10, 50);
    expect(world.pass(170, 0)).toBe(1);
    expect(world.pass(20, 0)).toBe(0);
  });

  test("an unreachable revision goes at once when its window is silent", () => {
    const world = new World({ minScale: 2, podRetentionMs: 120_000 }, { pods: 2, ready: 2 });
    expect(world.pass(80, 0)).toBe(2);
    world.set({ reachable: false });
    expect(world.pass(2, 0)).toBe(0);
  });

  test("scale to zero can be switched off", () => {
    const world = new World({ enableScaleToZero: false });
    world.pass(10, 50);
    expect(world.pass(300, 0)).toBe(1);
    expect(world.scaler.decisions.at(-1)?.bound).toBe("enable-scale-to-zero false");
  });

  test("max-scale bounds, and says so", () => {
    const world = new World({ maxScale: 2 });
    expect(world.pass(10, 1000)).toBe(2);
    expect(world.scaler.decisions.at(-1)?.bound).toBe("max-scale 2");
  });

  test("a start that never succeeds is given up, and tried again only for a request", () => {
    const world = new World({ activationTimeoutMs: 60_000 }, { initialized: false });
    expect(world.pass(60, 0, false)).toBe(1);
    expect(world.pass(10, 0, false)).toBe(0);
    expect(world.pass(100, 0, false)).toBe(0);
    expect(world.pass(4, 5, false)).toBe(1);
  });

  test("a start for a request that was taken back lasts until its timeout, not for ever", () => {
    const world = new World({ activationTimeoutMs: 100_000 });
    expect(world.pass(4, 5, false)).toBe(1);
    expect(world.pass(60, 0, false)).toBe(1);
    expect(world.pass(60, 0, false)).toBe(0);
  });

  test("an activated pod counts as a request", () => {
    const world = new World();
    expect(world.pass(10, 0)).toBe(0);
    world.set({ pods: 1, ready: 1, activation: "2026-11-21T03:00:19.000000Z" });
    world.decide();
    expect(world.scaler.want).toBe(1);
    expect(world.pass(50, 0)).toBe(1);
    expect(world.pass(20, 0)).toBe(0);
  });

  test("after a restart nothing is scaled down for lack of history", () => {
    const world = new World({}, { pods: 7, ready: 7 });
    expect(world.scaler.want).toBe(7);
    expect(world.pass(58, 70)).toBe(7);
    expect(world.pass(30, 70)).toBe(1);
  });

  test("after a restart pods that are not ready yet are kept too", () => {
    const world = new World({}, { pods: 1, ready: 0 });
    expect(world.pass(30, 0, false)).toBe(1);
  });

  test("rps is a metric of its own", () => {
    const spec = parseSpec({ "autoscaling.knative.dev/metric": "rps" }, 0, defaultConfig);
    const scaler = new RevisionScaler(spec, new World().counts, { nowMs: 0, idle: new IdleTimes() });
    scaler.record({ nowMs: 1000, wallMs: 0 }, { concurrency: 1, rps: 700 });
    const decision = scaler.decide({ nowMs: 1000, wallMs: 0 }, new World().counts);
    expect(decision.want).toBe(5);
    expect(decision.inputs["stableRequestsPerSecond"]).toBe(700);
  });

  test("a decision has everything that it was made from", () => {
    const world = new World({}, { pods: 2, ready: 2 });
    world.nowMs = 61_000;
    world.scaler.record(world.moment, { concurrency: 142, rps: 0 });
    world.nowMs = 62_000;
    expect(world.decide()).toEqual({
      at: "1970-01-01T00:01:02Z",
      want: 3,
      ready: 2,
      inputs: {
        stableConcurrency: 142,
        panicConcurrency: 142,
        target: 70,
        total: 100,
        readyPods: 2,
        panicking: false,
        reachable: true,
        excessBurstCapacity: -153,
        mode: "proxy",
        activity: "active",
      },
      formula: "ceil(stable 142 / target 70) = 3",
      repeated: 0,
    });
  });
});

describe("history", () => {
  test("decisions that change nothing are one, with the newest numbers", () => {
    const world = new World();
    world.pass(20, 50);
    world.pass(4, 51);
    const [first, ...rest] = world.scaler.decisions;
    expect(rest.length).toBeLessThanOrEqual(2);
    expect(world.scaler.decisions.at(-1)?.repeated).toBeGreaterThan(5);
    expect(first?.at).toBe("1970-01-01T00:00:02Z");
  });

  test("it is bounded", () => {
    let history = withDecision([], { at: "", want: 0, ready: 0, inputs: {}, formula: "", repeated: 0 });
    for (let want = 1; want < 3 * decisionsMax; want++) {
      history = withDecision(history, { at: "", want, ready: 0, inputs: {}, formula: "", repeated: 0 });
    }
    expect(history).toHaveLength(decisionsMax);
    expect(history.at(-1)?.want).toBe(3 * decisionsMax - 1);
  });
});

describe("properties", () => {
  const loads = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 2000 })), {
    maxLength: 12,
  });
  const settings = fc.record({
    minScale: fc.integer({ min: 0, max: 3 }),
    extra: fc.integer({ min: 0, max: 20 }),
    scaleDownDelayMs: fc.constantFrom(0, 10_000),
    activationScale: fc.constantFrom(0, 2, 5),
  });

  test("bounds always hold", () => {
    fc.assert(
      fc.property(loads, settings, (phases, { minScale, extra, ...more }) => {
        const maxScale = minScale + extra + 1;
        const world = new World({ minScale, maxScale, ...more }, { pods: minScale, ready: minScale });
        for (const [seconds, load] of phases) {
          world.pass(seconds, load);
          expect(world.scaler.want).toBeGreaterThanOrEqual(minScale);
          expect(world.scaler.want).toBeLessThanOrEqual(maxScale);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("never down while panicking, and never by more than half while reachable", () => {
    fc.assert(
      fc.property(loads, settings, (phases, { minScale, scaleDownDelayMs, activationScale }) => {
        const world = new World({ minScale, scaleDownDelayMs, activationScale });
        let wasPanicking = false;
        for (const [seconds, load] of phases) {
          for (let second = 0; second < seconds; second++) {
            const { ready } = world.counts;
            const before = world.scaler.want;
            world.pass(1, load);
            const isPanicking = world.scaler.decisions.at(-1)?.inputs["panicking"] === true;
            if (wasPanicking && isPanicking) expect(world.scaler.want).toBeGreaterThanOrEqual(before);
            expect(world.scaler.want).toBeGreaterThanOrEqual(Math.floor(ready / 2));
            wasPanicking = isPanicking;
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test("a steady load settles at ceil(load / target), from wherever it came", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 0, max: 30 }), (load, start) => {
        const world = new World({}, { pods: start, ready: start });
        world.pass(300, load);
        expect(world.scaler.want).toBe(Math.ceil(load / 70));
      }),
      { numRuns: 40 },
    );
  });

  test("the same history gives the same decisions", () => {
    fc.assert(
      fc.property(loads, (phases) => {
        const [one, two] = [new World(), new World()];
        for (const [seconds, load] of phases) {
          one.pass(seconds, load);
          two.pass(seconds, load);
        }
        expect(one.scaler.decisions).toEqual(two.scaler.decisions);
      }),
      { numRuns: 20 },
    );
  });

  test("short windows scale fast, as a demonstration wants", () => {
    const spec = parseSpec({}, 0, parseConfig(["stable-window=6s", "scale-to-zero-grace-period=6s"]));
    const world = new World(spec);
    world.pass(4, 10);
    expect(world.pass(8, 0)).toBe(0);
  });
});

describe("a pod that is kept warm", () => {
  const hourly = (): IdleTimes => {
    const idle = new IdleTimes();
    for (let times = 0; times < 24; times++) idle.record(3_600_000, 0);
    return idle;
  };

  test("a native one goes, comes back ahead of the hour, and goes when nothing has come", () => {
    const world = new World({}, { pods: 1, ready: 1, native: true }, hourly());
    world.pass(120, 1);
    expect(world.pass(200, 0)).toBe(0);
    // Idle for 58 minutes and 40 seconds.
    expect(world.pass(58 * 60 + 40 - 200, 0)).toBe(0);
    expect(world.pass(60, 0)).toBe(1);
    const kept = world.scaler.decisions.at(-1);
    expect(kept).toMatchObject({ want: 1, inputs: { activity: "inactive" } });
    expect(kept?.bound).toMatch(/^keep-warm: idle for 59 to 62 minutes: up to \d+ % chance /);
    expect(world.pass(240, 0)).toBe(0);
  });

  test("the request that it waited for finds it, and the next hour begins", () => {
    const idle = hourly();
    const world = new World({}, { pods: 1, ready: 1, native: true }, idle);
    world.pass(10, 1);
    expect(world.pass(60 * 60, 0)).toBe(1);
    world.pass(10, 1);
    // The others have faded a little.
    expect(idle.weight(60)).toBeGreaterThan(24.5);
    expect(world.scaler.activity.phase).toBe("active");
    expect(world.pass(30 * 60, 0)).toBe(0);
  });

  test.each([
    { why: "a Wasm pod's start costs next to nothing", counts: { native: false }, spec: {} },
    { why: "no route leads to it", counts: { native: true, reachable: false }, spec: {} },
    { why: "it is worth nothing", counts: { native: true }, spec: { keepWarmWorthMs: { native: 0, wasm: 0 } } },
  ])("none: $why", ({ counts, spec }) => {
    const world = new World(spec, { pods: 1, ready: 1, ...counts }, hourly());
    world.pass(120, 1);
    expect(world.pass(60 * 60, 0)).toBe(0);
  });
});

describe("a dry run", () => {
  test("says what would be wanted, and leaves the pods that are there", () => {
    const world = new World({ dryRun: true }, { pods: 2, ready: 2 });
    world.pass(70, 300, false);
    expect(world.scaler.want).toBe(2);
    const decision = world.scaler.decisions.at(-1);
    expect(decision?.want).toBe(5);
    expect(decision?.bound).toContain("dry-run: the 2 pods that there are stay");
    world.pass(300, 0, false);
    expect(world.scaler.decisions.at(-1)?.want).toBe(1);
    expect(world.scaler.want).toBe(2);
  });

  test("the initial scale comes up all the same", () => {
    const world = new World({ dryRun: true, initialScale: 3 }, { initialized: false });
    world.decide();
    expect(world.scaler.want).toBe(3);
  });
});
