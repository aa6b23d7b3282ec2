import { expect, test } from "vitest";
import { formatState, parseState, planRollout, type RolloutState, type RolloutWorld } from "./plan.ts";
import { rolloutSettings } from "./settings.ts";

const settings = rolloutSettings({
  "rollout.shallop.dev/steps": "10,50",
  "rollout.shallop.dev/interval": "30s",
  "rollout.shallop.dev/max-error-rate": "5%",
  "rollout.shallop.dev/min-requests": "20",
});
const running: RolloutState = { stable: "a", canary: "b", step: 0, sinceMs: 1_000, phase: "progressing" };
const world = (more: Partial<RolloutWorld>): RolloutWorld => ({
  settings,
  state: undefined,
  latest: "b",
  serving: "a",
  exists: () => true,
  isCanaryFailed: false,
  observed: { requests: 0, failures: 0 },
  wallMs: 2_000,
  ...more,
});

const byRequests = { ...settings!, advance: "requests" } as const;

test.each<[string, Partial<RolloutWorld>, { percent: number; phase?: string; step?: number; reason?: string }]>([
  ["without settings a revision gets all at once", { settings: undefined, state: running }, { percent: 100 }],
  ["the first revision gets all at once", { serving: undefined }, { percent: 100 }],
  ["what serves already goes on", { serving: "b" }, { percent: 100 }],
  [
    "a new one begins with the first step",
    {},
    { percent: 10, phase: "progressing", step: 0, reason: "RolloutStarted" },
  ],
  ["a step lasts its time", { state: running, wallMs: 30_999 }, { percent: 10, phase: "progressing", step: 0 }],
  [
    "then comes the next",
    { state: running, wallMs: 31_000 },
    { percent: 50, phase: "progressing", step: 1, reason: "RolloutAdvanced" },
  ],
  [
    "after the last it has all",
    { state: { ...running, step: 1 }, wallMs: 31_000 },
    { percent: 100, reason: "RolloutCompleted" },
  ],
  [
    "few requests say nothing",
    { state: running, observed: { requests: 19, failures: 19 } },
    { percent: 10, phase: "progressing", step: 0 },
  ],
  [
    "as many errors as may be",
    { state: running, observed: { requests: 100, failures: 5 } },
    { percent: 10, phase: "progressing", step: 0 },
  ],
  [
    "one more takes it back",
    { state: running, observed: { requests: 100, failures: 6 } },
    { percent: 0, phase: "rolled-back", step: 0, reason: "RolloutFailed" },
  ],
  [
    "so does a pod that is lost",
    { state: running, isCanaryFailed: true },
    { percent: 0, phase: "rolled-back", step: 0, reason: "RolloutFailed" },
  ],
  [
    "and there it stays",
    { state: { ...running, phase: "rolled-back" }, wallMs: 1e9 },
    { percent: 0, phase: "rolled-back", step: 0 },
  ],
  [
    "until a newer one comes",
    { state: { ...running, phase: "rolled-back" }, latest: "c" },
    { percent: 10, phase: "progressing", step: 0, reason: "RolloutStarted" },
  ],
  ["a stable revision that is gone ends it", { state: running, exists: (name) => name !== "a" }, { percent: 100 }],
  [
    "by requests: time alone is nothing",
    { settings: byRequests, state: running, wallMs: 1e9 },
    { percent: 10, phase: "progressing", step: 0 },
  ],
  [
    "by requests: good answers go on",
    { settings: byRequests, state: running, observed: { requests: 20, failures: 1 } },
    { percent: 50, phase: "progressing", step: 1, reason: "RolloutAdvanced" },
  ],
  [
    "by requests: bad ones go back",
    { settings: byRequests, state: running, observed: { requests: 20, failures: 2 } },
    { percent: 0, phase: "rolled-back", step: 0, reason: "RolloutFailed" },
  ],
])("%s", (_name, more, { percent, phase, step, reason }) => {
  const plan = planRollout(world(more));
  expect([plan.percent, plan.state?.phase, plan.state?.step, plan.event?.reason]).toEqual([
    percent,
    phase,
    step,
    reason,
  ]);
});

test("a newer revision in the middle of a rollout starts from the stable one", () => {
  expect(planRollout(world({ state: running, latest: "c", serving: "b" })).state).toMatchObject({
    stable: "a",
    canary: "c",
  });
});

test("the state goes through an annotation; what is none is no state", () => {
  expect(parseState(formatState(running))).toEqual(running);
  for (const text of [undefined, "", "{", "null", "[]", '{"stable":"a"}']) expect(parseState(text)).toBeUndefined();
});

test("Knative's own word for it: evenly in so much time, where no steps are given", () => {
  const gradual = { "serving.knative.dev/rollout-duration": "100s" };
  expect(rolloutSettings(gradual)).toMatchObject({ intervalMs: 10_000, advance: "time" });
  expect(rolloutSettings(gradual)?.steps).toEqual([1, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  expect(rolloutSettings({ ...gradual, "rollout.shallop.dev/steps": "50" })).toMatchObject({
    steps: [50],
    intervalMs: 60_000,
  });
  for (const none of ["0s", "soon"])
    expect(rolloutSettings({ "serving.knative.dev/rollout-duration": none })).toBeUndefined();
});

test.each([
  [{}, undefined],
  [{ steps: "0,100,x" }, undefined],
  [{ steps: "50, 5" }, { steps: [5, 50], intervalMs: 60_000, advance: "time", minRequests: 20, maxErrorPercent: 5 }],
  [
    { steps: "5", interval: "soon", advance: "requests", "min-requests": "3", "max-error-rate": "0.5%" },
    { steps: [5], intervalMs: 60_000, advance: "requests", minRequests: 3, maxErrorPercent: 0.5 },
  ],
] as const)("settings %j", (annotations, expected) => {
  const prefixed = Object.fromEntries(
    Object.entries(annotations).map(([name, value]) => [`rollout.shallop.dev/${name}`, value]),
  );
  expect(rolloutSettings(prefixed)).toEqual(expected);
});
