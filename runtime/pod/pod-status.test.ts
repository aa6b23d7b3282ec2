import { expect, test } from "vitest";
import type { EndedRun, PodState } from "./pod-state.ts";
import { podStatus } from "./pod-status.ts";

const wallMs = Date.UTC(2026, 0, 1);
const past = { restartCount: 0, crashCount: 0, refusalCount: 0 };
const oom: EndedRun = { exitCode: 137, reason: "OOMKilled", message: "used 64 MiB", finishedWallMs: wallMs };
const run = {
  endpoint: { protocol: "http1", host: "10.0.0.2", port: 8080 },
  ip: "10.0.0.2",
  containerId: "runc://1",
  startedWallMs: wallMs,
} as const;

const status = (state: PodState): ReturnType<typeof podStatus> =>
  podStatus(
    {
      state,
      containerName: "user-container",
      image: "hello:1",
      imageId: "r/hello@sha256:0",
      hostIp: "127.0.0.1",
      acceptedWallMs: wallMs,
    },
    [],
    wallMs,
  );

const cases: { name: string; state: PodState; phase: string; ready: string; container: object }[] = [
  {
    name: "pulling",
    state: { phase: "pulling", past },
    phase: "Pending",
    ready: "False",
    container: { state: { waiting: { reason: "ContainerCreating" } }, ready: false },
  },
  {
    name: "image cannot be pulled",
    state: { phase: "backoff", past, untilMs: 0, reason: "ImagePullBackOff", message: "no such image" },
    phase: "Pending",
    ready: "False",
    container: { state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } } },
  },
  {
    name: "ready",
    state: { phase: "ready", past, run, sinceMs: 0 },
    phase: "Running",
    ready: "True",
    container: {
      state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
      ready: true,
      started: true,
      containerID: "runc://1",
    },
  },
  {
    name: "draining",
    state: { phase: "draining", past, run, untilMs: 0 },
    phase: "Running",
    ready: "False",
    container: { ready: false, state: { running: { startedAt: "2026-01-01T00:00:00Z" } } },
  },
  {
    name: "crash loop after running out of memory",
    state: {
      phase: "backoff",
      past: { ...past, restartCount: 3, lastRun: oom },
      untilMs: 0,
      reason: "CrashLoopBackOff",
      message: "back-off",
    },
    phase: "Running",
    ready: "False",
    container: {
      restartCount: 3,
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } },
    },
  },
  {
    name: "failed for good",
    state: { phase: "ended", past: { ...past, lastRun: oom }, outcome: "Failed" },
    phase: "Failed",
    ready: "False",
    container: { state: { terminated: { exitCode: 137, reason: "OOMKilled", message: "used 64 MiB" } } },
  },
  {
    name: "stopped",
    state: { phase: "ended", past, outcome: "Stopped" },
    phase: "Succeeded",
    ready: "False",
    container: { state: { terminated: { exitCode: 0 } } },
  },
];

test.each(cases)("podStatus: $name", ({ state, phase, ready, container }) => {
  const got = status(state);
  expect(got.phase).toBe(phase);
  expect(got.conditions?.map(({ type }) => type)).toEqual(["PodScheduled", "Initialized", "ContainersReady", "Ready"]);
  expect(got.conditions?.at(-1)?.status).toBe(ready);
  expect(got.containerStatuses?.[0]).toMatchObject(container);
});

test("the pod's address is told while it runs, and only then", () => {
  expect(status({ phase: "ready", past, run, sinceMs: 0 })).toMatchObject({
    podIP: "10.0.0.2",
    podIPs: [{ ip: "10.0.0.2" }],
  });
  expect(status({ phase: "starting", past })).not.toHaveProperty("podIP");
});

test("a condition that did not change keeps its time", () => {
  const before = status({ phase: "starting", past }).conditions ?? [];
  const after = podStatus(
    {
      state: { phase: "ready", past, run, sinceMs: 0 },
      containerName: "c",
      image: "i",
      imageId: "",
      hostIp: "h",
      acceptedWallMs: 0,
    },
    before,
    wallMs + 60_000,
  ).conditions;
  expect(after?.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:01:00Z",
    "2026-01-01T00:01:00Z",
  ]);
});
