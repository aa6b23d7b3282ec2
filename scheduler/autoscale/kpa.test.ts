import { describe, expect, test } from "vitest";
import { defaultConfig } from "./config.ts";
import { evaluate, initialKpaMemory, type KpaMemory, type KpaResult } from "./kpa.ts";
import { parseSpec, type ScaleSpec } from "./spec.ts";

const spec = (more: Partial<ScaleSpec> = {}): ScaleSpec => ({ ...parseSpec({}, 0, defaultConfig), ...more });
const calm: KpaMemory = { panicSinceMs: undefined, panicPeak: 0, recent: [] };

interface Row {
  readonly name: string;
  readonly spec?: Partial<ScaleSpec>;
  readonly memory?: Partial<KpaMemory>;
  readonly ready: number;
  readonly load: readonly [stable: number, panic: number] | undefined;
  readonly reachable?: boolean;
  readonly nowMs?: number;
  readonly want: number | undefined;
  readonly formula?: string;
  readonly bounds?: readonly string[];
  readonly panicking?: boolean;
  readonly burst?: number;
}

function run(row: Row): KpaResult {
  const { load, ready, reachable = true, nowMs = 100_000 } = row;
  return evaluate(
    spec(row.spec),
    { ...calm, ...row.memory },
    { nowMs, ready, reachable, load: load === undefined ? undefined : { stable: load[0], panic: load[1] } },
  );
}

describe("golden: worked by hand from the formulae", () => {
  const rows: Row[] = [
    // target = 100 × 0.7 = 70; EBC = floor(ready × 100 − 211 − panic).
    { name: "stable", ready: 2, load: [142, 139], want: 3, formula: "ceil(stable 142 / target 70) = 3", burst: -150 },
    {
      name: "exactly full",
      ready: 2,
      load: [140, 140],
      want: 2,
      formula: "ceil(stable 140 / target 70) = 2",
      burst: -151,
    },
    { name: "a little is one pod", ready: 0, load: [0.01, 0.1], want: 1, burst: -212 },
    { name: "nothing is none", ready: 1, load: [0, 0], want: 0, burst: -111 },
    {
      name: "from zero, a burst is a panic: 3 / max(1, 0) ≥ 2",
      ready: 0,
      load: [2.5, 150],
      want: 3,
      panicking: true,
      formula: "panic: max(ceil(panic 150 / target 70) = 3, ceil(stable 2.5 / target 70) = 1, peak 0) = 3",
      burst: -361,
    },
    { name: "just under the threshold: 3 / 2 < 2", ready: 2, load: [70, 210], want: 1, bounds: [] },
    {
      name: "at the threshold: 4 / 2 = 2",
      ready: 2,
      load: [70, 280],
      want: 4,
      panicking: true,
      formula: "panic: max(ceil(panic 280 / target 70) = 4, ceil(stable 70 / target 70) = 1, peak 0) = 4",
    },
    {
      name: "in a panic the peak stays",
      memory: { panicSinceMs: 90_000, panicPeak: 9 },
      ready: 9,
      load: [100, 50],
      want: 9,
      panicking: true,
      formula: "panic: max(ceil(panic 50 / target 70) = 1, ceil(stable 100 / target 70) = 2, peak 9) = 9",
      bounds: [],
    },
    {
      name: "in a panic the stable wish may be larger",
      memory: { panicSinceMs: 90_000, panicPeak: 2 },
      ready: 2,
      load: [350, 50],
      want: 5,
      panicking: true,
    },
    {
      name: "60 s after the last time over the threshold it goes on",
      memory: { panicSinceMs: 40_000, panicPeak: 9 },
      ready: 9,
      load: [0, 0],
      want: 9,
      panicking: true,
    },
    {
      name: "and then is over, and pods go by half at most",
      memory: { panicSinceMs: 39_999, panicPeak: 9 },
      ready: 9,
      load: [0, 0],
      want: 4,
      bounds: ["max-scale-down-rate: floor(ready 9 / 2) = 4"],
      burst: 689,
    },
    {
      name: "no more than the rate allows, rounded up",
      spec: { maxScaleUpRate: 1.1, total: 3, target: 1 },
      ready: 2,
      load: [3, 3],
      want: 3,
    },
    {
      name: "the rate bounds",
      spec: { maxScaleUpRate: 10 },
      ready: 1,
      load: [7000, 7000],
      want: 10,
      panicking: true,
      bounds: ["max-scale-up-rate 10 × ready 1 = 10"],
    },
    {
      name: "unreachable: down at once",
      ready: 9,
      load: [0, 0],
      reachable: false,
      want: 0,
      bounds: [],
    },
    {
      name: "activation scale",
      spec: { activationScale: 3 },
      ready: 0,
      load: [1, 1],
      want: 3,
      bounds: ["activation-scale 3"],
    },
    { name: "activation scale does not raise zero", spec: { activationScale: 3 }, ready: 1, load: [0, 0], want: 0 },
    {
      name: "the scale-down delay keeps the most of its window",
      spec: { scaleDownDelayMs: 15_000 },
      memory: {
        recent: [
          { atMs: 86_000, want: 6 },
          { atMs: 95_000, want: 3 },
        ],
      },
      ready: 6,
      load: [210, 210],
      want: 6,
      bounds: ["scale-down-delay 15s: 6 were wanted within it"],
    },
    {
      name: "and forgets what is older",
      spec: { scaleDownDelayMs: 15_000 },
      memory: {
        recent: [
          { atMs: 85_000, want: 6 },
          { atMs: 95_000, want: 4 },
        ],
      },
      ready: 6,
      load: [210, 210],
      want: 4,
      bounds: ["scale-down-delay 15s: 4 were wanted within it"],
    },
    {
      name: "an unreachable revision has no delay",
      spec: { scaleDownDelayMs: 15_000 },
      memory: { recent: [{ atMs: 99_000, want: 6 }] },
      ready: 6,
      load: [70, 70],
      reachable: false,
      want: 1,
    },
    { name: "no data", ready: 3, load: undefined, want: undefined, burst: 89 },
    {
      name: "no data within a panic",
      memory: { panicSinceMs: 90_000, panicPeak: 3 },
      ready: 3,
      load: undefined,
      want: undefined,
      panicking: true,
    },
    {
      name: "no data for long after a panic",
      memory: { panicSinceMs: 1000, panicPeak: 3 },
      ready: 3,
      load: undefined,
      want: 1,
    },
    {
      name: "burst capacity 0: no pods for bursts",
      spec: { targetBurstCapacity: 0 },
      ready: 1,
      load: [1, 1],
      want: 1,
      burst: 0,
    },
    {
      name: "burst capacity −1: always held",
      spec: { targetBurstCapacity: -1 },
      ready: 50,
      load: [70, 70],
      want: 25,
      burst: -1,
    },
    { name: "room for a burst: 3 × 100 − 211 − 40 = 49", ready: 3, load: [210, 40], want: 3, burst: 49 },
  ];
  test.each(rows)("$name", (row) => {
    const result = run(row);
    expect(result.desired).toBe(row.want);
    expect(result.memory.panicSinceMs !== undefined).toBe(row.panicking ?? false);
    if (row.formula !== undefined) expect(result.formula).toBe(row.formula);
    if (row.bounds !== undefined) expect(result.bounds).toEqual(row.bounds);
    if (row.burst !== undefined) expect(result.excessBurstCapacity).toBe(row.burst);
  });

  test("a panic that is confirmed lasts longer", () => {
    const result = run({
      name: "",
      memory: { panicSinceMs: 50_000, panicPeak: 4 },
      ready: 1,
      load: [70, 280],
      want: 4,
    });
    expect(result.memory.panicSinceMs).toBe(100_000);
  });

  test("a new scaler of several pods begins in panic, pinned at their number", () => {
    const memory = initialKpaMemory(0, 5);
    expect(
      evaluate(spec(), memory, { nowMs: 2000, ready: 5, reachable: true, load: { stable: 0, panic: 0 } }).desired,
    ).toBe(5);
    expect(initialKpaMemory(0, 1)).toEqual(calm);
  });
});
