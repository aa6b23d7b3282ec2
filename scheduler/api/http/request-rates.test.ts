import type { RevisionLoad } from "@shallop/sdk/wire";
import { expect, test } from "vitest";
import { RequestRates } from "./request-rates.ts";

const load = (revision: string, more: Partial<RevisionLoad> = {}): RevisionLoad => ({
  ...{ namespace: "default", revision, averageConcurrency: 2, requestCount: 100, periodMs: 1_000, waiting: 0 },
  ...more,
});

test("reports of ten seconds, of all gateways, are a rate and quantiles; older ones are forgotten", () => {
  const rates = new RequestRates();
  const fast = { latencies: [[1, 98] as const, [8, 2] as const], failureCount: 5 };
  rates.report({ gateway: "a", revisions: [load("hello-00001", fast), load("idle-00001", { requestCount: 1 })] }, 0);
  rates.report({ gateway: "b", revisions: [load("hello-00001", { latencies: [[1, 100]], waiting: 3 })] }, 1_000);
  expect(rates.now(1_000)).toEqual([
    {
      ...{ namespace: "default", revision: "hello-00001", requestsPerSecond: 20, failuresPerSecond: 0.5 },
      ...{ concurrency: 0.4, waiting: 3, p50Ms: 1, p99Ms: 1 },
    },
    expect.objectContaining({ revision: "idle-00001", requestsPerSecond: 0.1, p50Ms: 0, p99Ms: 0 }),
  ]);
  expect(rates.now(1_000, "other")).toEqual([]);
  expect(rates.now(10_500)).toMatchObject([{ revision: "hello-00001", requestsPerSecond: 10 }]);
  expect(rates.now(20_000)).toEqual([]);
});
