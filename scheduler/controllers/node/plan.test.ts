import { describe, expect, test } from "vitest";
import { hoursAgo, node, pod, ready, wallMs } from "../plans.fixture.ts";
import { forceDeleteAfterMs, type NodeWatch, planNode, planPodsOfNode, usualPatience } from "./plan.ts";

const { silentMsMax, replaceAfterMs } = usualPatience;

describe("planNode", () => {
  const seen = (more: Partial<NodeWatch> = {}): NodeWatch => ({
    heartbeat: "t1 True",
    seenMs: 1000,
    awaySinceMs: undefined,
    ...more,
  });
  const rows: {
    name: string;
    before: NodeWatch | undefined;
    node: ReturnType<typeof node>;
    nowMs: number;
    state: string;
    unknown?: boolean;
  }[] = [
    { name: "a new one", before: undefined, node: node("t1"), nowMs: 5000, state: "ready" },
    { name: "a heartbeat", before: seen(), node: node("t2"), nowMs: 100_000, state: "ready" },
    { name: "silent for a moment", before: seen(), node: node("t1"), nowMs: 999 + silentMsMax, state: "ready" },
    {
      name: "silent for too long",
      before: seen(),
      node: node("t1"),
      nowMs: 1000 + silentMsMax,
      state: "away",
      unknown: true,
    },
    { name: "it says itself that it stops", before: seen(), node: node("t2", "False"), nowMs: 2000, state: "away" },
    {
      name: "away for long",
      before: seen({ heartbeat: "t1 Unknown", awaySinceMs: 20_000 }),
      node: node("t1", "Unknown"),
      nowMs: 20_000 + replaceAfterMs,
      state: "lost",
    },
    {
      name: "away not so long",
      before: seen({ heartbeat: "t1 Unknown", awaySinceMs: 20_000 }),
      node: node("t1", "Unknown"),
      nowMs: 19_999 + replaceAfterMs,
      state: "away",
    },
    {
      name: "back again",
      before: seen({ heartbeat: "t1 Unknown", awaySinceMs: 1000 }),
      node: node("t2"),
      nowMs: 90_000,
      state: "ready",
    },
  ];
  test.each(rows)("$name", ({ before, node, nowMs, state, unknown = false }) => {
    const plan = planNode(before, node, { nowMs, patience: usualPatience });
    expect(plan.state).toBe(state);
    expect(plan.becomesUnknown).toBe(unknown);
  });
});

describe("planPodsOfNode", () => {
  const serving = pod("p", {}, { conditions: ready("True") });
  const silent = pod("p", {}, { conditions: ready("False") });
  const ending = (agoMs: number) => pod("p", { deletionTimestamp: new Date(wallMs - agoMs).toISOString() });
  const rows: {
    name: string;
    state: "ready" | "away" | "lost" | undefined;
    pod: ReturnType<typeof pod>;
    actions: string[];
  }[] = [
    { name: "ready: left alone", state: "ready", pod: serving, actions: [] },
    { name: "away: nobody knows whether it answers", state: "away", pod: serving, actions: ["mark-not-ready"] },
    { name: "away: marked already", state: "away", pod: silent, actions: [] },
    { name: "lost: on its way out, and has time", state: "lost", pod: ending(forceDeleteAfterMs - 1), actions: [] },
    { name: "lost: overdue", state: "lost", pod: ending(forceDeleteAfterMs + 1), actions: ["force-delete"] },
    { name: "away: overdue, but it may come back", state: "away", pod: ending(forceDeleteAfterMs + 1), actions: [] },
    { name: "removed", state: undefined, pod: serving, actions: ["force-delete"] },
  ];
  test.each(rows)("$name", ({ state, pod, actions }) => {
    expect(planPodsOfNode("a", state, [pod], wallMs).map(({ kind }) => kind)).toEqual(actions);
  });
  test("times are read as people write them", () => {
    expect(Date.parse(hoursAgo(1))).toBe(wallMs - 3_600_000);
  });
});
