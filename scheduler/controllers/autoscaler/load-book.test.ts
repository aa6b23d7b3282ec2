import type { RevisionLoad } from "@shallop/sdk/wire";
import { describe, expect, test } from "vitest";
import { gatewaySilentMsMax, LoadBook } from "./load-book.ts";

const load = (more: Partial<RevisionLoad> = {}): RevisionLoad => ({
  namespace: "default",
  revision: "hello",
  averageConcurrency: 0,
  requestCount: 0,
  periodMs: 1000,
  waiting: 0,
  ...more,
});
const key = "default/hello";

describe("LoadBook", () => {
  test("loads of several gateways add up", () => {
    const book = new LoadBook();
    book.report({ gateway: "a", revisions: [load({ averageConcurrency: 10, requestCount: 5 })] }, 0);
    book.report({ gateway: "b", revisions: [load({ averageConcurrency: 3, requestCount: 1 })] }, 0);
    expect(book.sample(500).get(key)).toEqual({ concurrency: 13, rps: 6, queue: 0 });
  });

  test("reports between two samples are averaged over their time", () => {
    const book = new LoadBook();
    book.report({ gateway: "a", revisions: [load({ averageConcurrency: 100, requestCount: 10, periodMs: 100 })] }, 0);
    book.report({ gateway: "a", revisions: [load({ averageConcurrency: 0, requestCount: 0, periodMs: 900 })] }, 900);
    expect(book.sample(1000).get(key)).toEqual({ concurrency: 10, rps: 10, queue: 0 });
  });

  test("without a report since the last sample the newest one holds", () => {
    const book = new LoadBook();
    book.report({ gateway: "a", revisions: [load({ averageConcurrency: 4, requestCount: 8, periodMs: 2000 })] }, 0);
    book.sample(500);
    expect(book.sample(1500).get(key)).toEqual({ concurrency: 4, rps: 4, queue: 0 });
  });

  test("a revision that fell silent is told once more, and forgotten", () => {
    const book = new LoadBook();
    book.report({ gateway: "a", revisions: [load({ averageConcurrency: 4 })] }, 0);
    book.sample(500);
    book.report({ gateway: "a", revisions: [load()] }, 1000);
    expect(book.sample(1500).get(key)).toEqual({ concurrency: 0, rps: 0, queue: 0 });
    expect(book.sample(2500).has(key)).toBe(false);
  });

  test("a gateway that is silent for too long is dropped, and what it said with it", () => {
    const book = new LoadBook();
    book.report({ gateway: "a", revisions: [load({ averageConcurrency: 4 })] }, 0);
    expect(book.sample(gatewaySilentMsMax).get(key)?.concurrency).toBe(4);
    expect(book.sample(gatewaySilentMsMax + 1).has(key)).toBe(false);
    expect(book.now(key, gatewaySilentMsMax + 1)).toEqual({ concurrency: 0, rps: 0, queue: 0 });
  });

  test("revisions with requests that wait are named, and count with those at least", () => {
    const book = new LoadBook();
    const revisions = [load({ averageConcurrency: 0.01, waiting: 1000 }), load({ revision: "other" })];
    expect(book.report({ gateway: "a", revisions }, 0)).toEqual([key]);
    expect(book.now(key, 0).concurrency).toBe(1000);
    expect(book.sample(1000).get(key)?.concurrency).toBeCloseTo(0.01);
  });
});
