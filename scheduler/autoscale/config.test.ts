import { describe, expect, test } from "vitest";
import { defaultConfig, parseConfig } from "./config.ts";
import { parseSpec, type ScaleSpec } from "./spec.ts";

const on = (annotations: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`autoscaling.knative.dev/${name}`, value]));

describe("global configuration", () => {
  test("without settings it is Knative's", () => {
    expect(parseConfig([])).toEqual(defaultConfig);
  });

  test("settings replace defaults", () => {
    const config = parseConfig([
      "stable-window=6s",
      "enable-scale-to-zero=false",
      "container-concurrency-target-percentage=50",
      "target-burst-capacity=-1",
      "max-scale-up-rate=1.5",
    ]);
    expect(config).toEqual({
      ...defaultConfig,
      stableWindowMs: 6000,
      enableScaleToZero: false,
      targetUtilization: 0.5,
      targetBurstCapacity: -1,
      maxScaleUpRate: 1.5,
    });
  });

  test.each([
    "stable-window",
    "=1",
    "no-such-key=1",
    "constructor=1",
    "stable-window=5s",
    "stable-window=2h",
    "stable-window=6500ms",
    "stable-window=soon",
    "container-concurrency-target-percentage=0",
    "container-concurrency-target-percentage=101",
    "panic-threshold-percentage=100",
    "max-scale-up-rate=1",
    "max-scale-down-rate=NaN",
    "target-burst-capacity=-2",
    "enable-scale-to-zero=yes",
    "initial-scale=0",
    "min-scale=1.5",
    "min-scale=-1",
  ])("%s is refused", (setting) => {
    expect(() => parseConfig([setting])).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  test("bounds that contradict one another are refused", () => {
    expect(() => parseConfig(["min-scale=3", "max-scale=2"])).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
    expect(() => parseConfig(["max-scale=9", "max-scale-limit=5"])).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
    expect(parseConfig(["initial-scale=0", "allow-zero-initial-scale=true"]).initialScale).toBe(0);
  });
});

describe("spec of a revision", () => {
  const defaults: ScaleSpec = {
    metric: "concurrency",
    total: 100,
    target: 70,
    tolerance: 0,
    more: [],
    targetBurstCapacity: 211,
    stableWindowMs: 60_000,
    panicWindowMs: 6000,
    panicThreshold: 2,
    maxScaleUpRate: 1000,
    maxScaleDownRate: 2,
    scaleDownDelayMs: 0,
    activationScale: 0,
    initialScale: 1,
    minScale: 0,
    maxScale: 0,
    enableScaleToZero: true,
    scaleToZeroGraceMs: 30_000,
    podRetentionMs: 0,
    aggregation: "linear",
    activationTimeoutMs: 630_000,
    keepWarmWorthMs: { native: 900_000, wasm: 0 },
    dryRun: false,
  };
  const hpa: Partial<ScaleSpec> = {
    metric: "cpu",
    total: 80,
    target: 80,
    tolerance: 0.1,
    targetBurstCapacity: 0,
    stableWindowMs: 15_000,
    panicWindowMs: 15_000,
    panicThreshold: Number.POSITIVE_INFINITY,
    scaleDownDelayMs: 300_000,
    minScale: 1,
  };
  const cases: {
    name: string;
    annotations?: Record<string, string>;
    concurrency?: number;
    settings?: string[];
    spec: Partial<ScaleSpec>;
  }[] = [
    { name: "nothing given", spec: {} },
    {
      name: "what a cold start is worth",
      annotations: { "autoscaling.shallop.dev/keep-warm-worth": "5m" },
      spec: { keepWarmWorthMs: { native: 300_000, wasm: 300_000 } },
    },
    {
      name: "cold starts are worth nothing",
      settings: ["keep-warm-worth=0s"],
      spec: { keepWarmWorthMs: { native: 0, wasm: 0 } },
    },
    { name: "a hard limit", concurrency: 10, spec: { total: 10, target: 7 } },
    { name: "a soft target", annotations: on({ target: "50" }), spec: { total: 50, target: 35 } },
    { name: "the smaller of both", annotations: on({ target: "50" }), concurrency: 10, spec: { total: 10, target: 7 } },
    {
      name: "a target below the limit",
      annotations: on({ target: "5" }),
      concurrency: 10,
      spec: { total: 5, target: 3.5 },
    },
    {
      name: "rps",
      annotations: on({ metric: "rps" }),
      concurrency: 10,
      spec: { metric: "rps", total: 200, target: 140 },
    },
    {
      name: "rps with a target",
      annotations: on({ metric: "rps", target: "10" }),
      spec: { metric: "rps", total: 10, target: 7 },
    },
    { name: "utilization", annotations: on({ "target-utilization-percentage": "90" }), spec: { target: 90 } },
    {
      name: "utilization as a fraction",
      annotations: on({ "target-utilization-percentage": "0.5" }),
      spec: { target: 50 },
    },
    {
      name: "a target is never 0",
      annotations: on({ target: "0.01", "target-utilization-percentage": "1.5" }),
      spec: { total: 0.01, target: 0.01 },
    },
    {
      name: "a window takes its panic window along",
      annotations: on({ window: "40s" }),
      spec: { stableWindowMs: 40_000, panicWindowMs: 4000 },
    },
    {
      name: "a panic window is one second at least",
      annotations: on({ window: "6s", "panic-window-percentage": "1" }),
      spec: { stableWindowMs: 6000, panicWindowMs: 1000 },
    },
    {
      name: "a panic window is whole seconds",
      annotations: on({ window: "25s" }),
      spec: { stableWindowMs: 25_000, panicWindowMs: 3000 },
    },
    {
      name: "the older spelling",
      annotations: on({ minScale: "2", maxScale: "5" }),
      spec: { minScale: 2, maxScale: 5 },
    },
    {
      name: "all others",
      annotations: on({
        "panic-threshold-percentage": "150",
        "scale-down-delay": "15s",
        "activation-scale": "3",
        "initial-scale": "4",
        "scale-to-zero-pod-retention-period": "1m5s",
        "target-burst-capacity": "0",
        "metric-aggregation-algorithm": "weighted-exponential",
      }),
      spec: {
        panicThreshold: 1.5,
        scaleDownDelayMs: 15_000,
        activationScale: 3,
        initialScale: 4,
        podRetentionMs: 65_000,
        targetBurstCapacity: 0,
        aggregation: "weighted-exponential",
      },
    },
    {
      name: "what cannot be read counts as not given",
      annotations: on({ window: "soon", target: "", "min-scale": "-1" }),
      spec: {},
    },
    { name: "the global limit holds for unlimited revisions", settings: ["max-scale-limit=7"], spec: { maxScale: 7 } },
    {
      name: "and for larger ones",
      annotations: on({ "max-scale": "9" }),
      settings: ["max-scale-limit=7"],
      spec: { maxScale: 7 },
    },
    {
      name: "further signals: the utilization is for requests",
      annotations: { "autoscaling.shallop.dev/signals": "cpu=80, rps=50,queue=5" },
      spec: {
        more: [
          { name: "cpu", total: 80, target: 80 },
          { name: "rps", total: 50, target: 35 },
          { name: "queue", total: 5, target: 5 },
        ],
      },
    },
    {
      name: "further signals that cannot be read",
      annotations: { "autoscaling.shallop.dev/signals": "cpu" },
      spec: {},
    },
    {
      name: "class hpa: by the processor, as Kubernetes' own autoscaler does",
      annotations: on({ class: "hpa.autoscaling.knative.dev" }),
      spec: hpa,
    },
    {
      name: "class hpa: a target is no soft limit, and whole percent",
      annotations: on({ class: "hpa.autoscaling.knative.dev", metric: "cpu", target: "49.5", "min-scale": "2" }),
      spec: { ...hpa, total: 50, target: 50, minScale: 2 },
    },
    {
      name: "class hpa: memory",
      annotations: on({
        class: "hpa.autoscaling.knative.dev",
        metric: "memory",
        target: "200",
        window: "30s",
        "scale-down-delay": "0s",
      }),
      spec: {
        ...hpa,
        metric: "memory",
        total: 200,
        target: 200,
        stableWindowMs: 30_000,
        panicWindowMs: 30_000,
        scaleDownDelayMs: 0,
      },
    },
    {
      name: "a progress deadline",
      annotations: { "serving.knative.dev/progress-deadline": "30s" },
      spec: { activationTimeoutMs: 60_000 },
    },
  ];
  test.each(cases)("$name", ({ annotations = {}, concurrency = 0, settings = [], spec }) => {
    expect(parseSpec(annotations, concurrency, parseConfig(settings))).toEqual({ ...defaults, ...spec });
  });
});
