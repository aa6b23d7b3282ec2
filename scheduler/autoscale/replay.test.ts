import { describe, expect, test } from "vitest";
import { defaultConfig } from "./config.ts";
import { IdleTimes } from "./idle-times.ts";
import { historySeconds, LoadHistory } from "./load-history.ts";
import type { LoadSample } from "./signals.ts";
import { replay } from "./replay.ts";
import { parseSpec } from "./spec.ts";

const load = (concurrency: number): LoadSample => ({ concurrency, rps: concurrency });
const seconds = (count: number, concurrency: number): LoadSample[] =>
  Array.from({ length: count }, () => load(concurrency));

describe("LoadHistory", () => {
  test("begins with the first request, and counts the seconds without a word as silent", () => {
    const history = new LoadHistory();
    history.record(500, load(0));
    expect(history.samples(10_000)).toEqual([]);
    history.record(10_000, load(3));
    history.record(12_500, load(1));
    expect(history.samples(14_000).map(({ concurrency }) => concurrency)).toEqual([3, 0, 1, 0, 0]);
  });

  test("holds an hour, and nothing of what is older", () => {
    const history = new LoadHistory();
    for (let second = 0; second < historySeconds + 100; second++) history.record(second * 1000, load(second + 1));
    const samples = history.samples((historySeconds + 99) * 1000);
    expect(samples).toHaveLength(historySeconds);
    expect(samples[0]?.concurrency).toBe(101);
    expect(samples.at(-1)?.concurrency).toBe(historySeconds + 100);
    expect(history.samples((2 * historySeconds + 99) * 1000)).toEqual([]);
    history.record(10 * historySeconds * 1000, load(7));
    expect(history.samples(10 * historySeconds * 1000)).toEqual([load(7)]);
  });
});

describe("a replay", () => {
  const run = (annotations: Readonly<Record<string, string>>, samples: readonly LoadSample[], native = false) =>
    replay(parseSpec(annotations, 0, defaultConfig), { samples, startWallMs: 0, idle: new IdleTimes(), native });

  test("says how many pods there would have been, and why", () => {
    const samples = [...seconds(120, 300), ...seconds(300, 0)];
    const before = run({}, samples);
    // 300 / 70.
    expect(before).toMatchObject({ seconds: 420, peak: 5, startsFromZero: 1 });
    const after = run({ "autoscaling.knative.dev/max-scale": "2" }, samples);
    expect(after.peak).toBe(2);
    expect(after.podSeconds).toBeLessThan(before.podSeconds);
    expect(after.decisions.some(({ bound }) => bound === "max-scale 2")).toBe(true);
    const smaller = run({ "autoscaling.knative.dev/target": "50" }, samples);
    // 300 / 35.
    expect(smaller.peak).toBe(9);
    expect(smaller.decisions.at(-1)?.want).toBe(0);
  });

  test("of nothing is nothing", () => {
    expect(run({}, [])).toEqual({ seconds: 0, peak: 0, podSeconds: 0, changes: 0, startsFromZero: 0, decisions: [] });
  });
});
