import { describe, expect, test } from "vitest";
import { Histogram } from "./histogram.ts";
import { LoadMeter } from "./load.ts";

const nobodyWaits = (): number => 0;

describe("LoadMeter", () => {
  test("averages concurrency over the time between reports", () => {
    const meter = new LoadMeter();
    const first = meter.arrived("ns/r", 0);
    const second = meter.arrived("ns/r", 250);
    meter.left(first, 500, { latencyMs: 500, hasFailed: true });
    meter.left(second, 750, { latencyMs: 500, hasFailed: false });
    // 250 ms with one, 250 ms with two, 250 ms with one, 250 ms with none: (250 + 500 + 250) / 1000.
    expect(meter.report(1000, () => 7)).toEqual([
      {
        namespace: "ns",
        revision: "r",
        averageConcurrency: 1,
        requestCount: 2,
        failureCount: 1,
        latencies: [[526.646, 2]],
        periodMs: 1000,
        waiting: 7,
      },
    ]);
  });

  test("a request that goes on counts in each report", () => {
    const meter = new LoadMeter();
    const entry = meter.arrived("ns/r", 0);
    for (const nowMs of [1000, 2000]) expect(meter.report(nowMs, nobodyWaits)[0]?.averageConcurrency).toBe(1);
    meter.left(entry, 2500, { latencyMs: 2500, hasFailed: false });
    expect(meter.report(3000, nobodyWaits)[0]).toMatchObject({ averageConcurrency: 0.5, requestCount: 0 });
    expect(meter.now()).toMatchObject([{ namespace: "ns", revision: "r", concurrency: 0, requests: 1 }]);
  });

  test("a revision that fell silent is told once more, then no more", () => {
    const meter = new LoadMeter();
    meter.left(meter.arrived("ns/r", 0), 0, { latencyMs: 1, hasFailed: false });
    expect(meter.report(1000, nobodyWaits)).toMatchObject([{ requestCount: 1 }]);
    expect(meter.report(2000, nobodyWaits)).toMatchObject([{ requestCount: 0, averageConcurrency: 0 }]);
    expect(meter.report(3000, nobodyWaits)).toEqual([]);
  });

  test("a report that did not arrive is followed by another", () => {
    const meter = new LoadMeter();
    meter.left(meter.arrived("ns/r", 0), 0, { latencyMs: 1, hasFailed: false });
    meter.report(1000, nobodyWaits);
    const last = meter.report(2000, nobodyWaits);
    meter.undelivered(last);
    expect(meter.report(3000, nobodyWaits)).toHaveLength(1);
    expect(meter.report(4000, nobodyWaits)).toHaveLength(0);
  });

  test("a report at the very moment of the first request has that request in it", () => {
    const meter = new LoadMeter();
    meter.arrived("ns/r", 5);
    expect(meter.report(5, () => 1)).toMatchObject([
      { averageConcurrency: 1, requestCount: 1, periodMs: 0, waiting: 1 },
    ]);
  });

  test("a revision that was deleted is not told of, and its last requests change nothing", () => {
    const meter = new LoadMeter();
    const entry = meter.arrived("ns/r", 0);
    meter.forget("ns/r");
    meter.left(entry, 10, { latencyMs: 10, hasFailed: false });
    expect(meter.report(1000, nobodyWaits)).toEqual([]);
  });
});

describe("Histogram", () => {
  test("quantiles are right to within a bucket", () => {
    const histogram = new Histogram();
    for (let latencyMs = 1; latencyMs <= 1000; latencyMs++) histogram.add(latencyMs);
    for (const [quantile, latencyMs] of [
      [0.5, 500],
      [0.99, 990],
      [1, 1000],
    ] as const) {
      const estimate = histogram.quantileMs(quantile);
      expect(estimate).toBeGreaterThanOrEqual(latencyMs * 0.999);
      expect(estimate).toBeLessThanOrEqual(latencyMs * 1.2);
    }
  });

  test("what is outside the buckets is counted at their ends", () => {
    const histogram = new Histogram();
    expect(histogram.quantileMs(0.5)).toBe(0);
    histogram.add(0);
    expect(histogram.quantileMs(0.5)).toBeCloseTo(0.1);
    histogram.add(1e12);
    expect(histogram.quantileMs(1)).toBeGreaterThan(1_000_000);
    expect(histogram.count).toBe(2);
  });
});
