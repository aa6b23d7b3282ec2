import type { Node, Pod, Taint, Toleration } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { planTaints } from "./taints.ts";

const meta = (name: string) => ({ name, uid: name, resourceVersion: "1", creationTimestamp: "", generation: 1 });
const node = (taints: readonly Taint[]): Node => ({
  ...{ apiVersion: "v1", kind: "Node", metadata: meta("n1"), spec: { taints } },
});
const pod = (tolerations: readonly Toleration[], more: Partial<Pod> = {}): Pod => ({
  ...{ apiVersion: "v1", kind: "Pod", metadata: meta("p"), spec: { containers: [], tolerations } },
  ...more,
});

const bad: Taint = { key: "bad", value: "yes", effect: "NoExecute" };
const worse: Taint = { key: "worse", effect: "NoExecute" };
const forTime = (key: string, tolerationSeconds: number): Toleration => ({
  key,
  operator: "Exists",
  tolerationSeconds,
});

test.each<[string, readonly Taint[], readonly Toleration[], number | undefined]>([
  ["no taint", [], [], undefined],
  ["a taint that only keeps new ones away", [{ ...bad, effect: "NoSchedule" }], [], undefined],
  ["a taint that is not tolerated", [bad], [], 0],
  ["one that is", [bad], [{ key: "bad", operator: "Equal", value: "yes" }], undefined],
  ["one that is for a time", [bad], [forTime("bad", 30)], 30_000],
  ["two of which one is for a time", [bad, worse], [{ operator: "Exists" }, forTime("bad", 30)], 30_000],
  ["two of which one is not", [bad, worse], [{ key: "bad", operator: "Exists" }], 0],
  ["the shortest counts", [bad, worse], [forTime("bad", 30), forTime("worse", 5)], 5_000],
  ["no time at all", [bad], [forTime("bad", -1)], 0],
])("%s", (_, taints, tolerations, goesAfterMs) => {
  const look = (nowMs: number, since = new Map<string, number>()) =>
    planTaints(node(taints), [pod(tolerations)], since, nowMs);
  const first = look(1000);
  if (goesAfterMs === undefined) return expect(first).toEqual({ evict: [], sinceMs: new Map() });
  const since = new Map(first.sinceMs);
  expect(first.evict.length).toBe(goesAfterMs === 0 ? 1 : 0);
  if (goesAfterMs > 0) expect(look(1000 + goesAfterMs - 1, since).evict).toEqual([]);
  expect(look(1000 + goesAfterMs, since).evict).toHaveLength(1);
  // It was taken away meanwhile: the time begins anew.
  expect(planTaints(node([]), [pod(tolerations)], since, 2000).sinceMs.size).toBe(0);
});

test("who has ended or goes already is left alone", () => {
  const pods = [
    pod([], { status: { phase: "Succeeded" } }),
    pod([], { metadata: { ...meta("p"), deletionTimestamp: "2026-01-01T00:00:00Z" } }),
  ];
  expect(planTaints(node([bad]), pods, new Map(), 0).evict).toEqual([]);
});
