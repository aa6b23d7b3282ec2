import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import type { NodeTarget, PodTarget } from "../route/target.ts";
import { Abandonments } from "./abandonments.ts";

const node: NodeTarget = {
  name: "n1",
  machine: "m",
  agentSocket: "/run/agent.sock",
  activationSocket: undefined,
  processors: undefined,
  agentAddress: undefined,
  zone: undefined,
};
const pod = (uid: string, more: Partial<PodTarget> = {}): PodTarget => ({
  uid,
  namespace: "default",
  name: uid,
  revision: "default/r",
  node: "n1",
  endpoint: { protocol: "wire", socket: "/run/pod" },
  ...more,
});

test("requests that are left together are told of together, those of each pod by themselves", async () => {
  const clock = new FakeClock();
  const told: unknown[] = [];
  const abandonments = new Abandonments({
    clock,
    node: (name) => (name === "n1" ? node : undefined),
    tell: (at, uid, ids) => told.push([at.name, uid, ids]),
  });
  abandonments.add(pod("a"), "1");
  abandonments.add(pod("b"), "2");
  await clock.advance(499);
  abandonments.add(pod("a"), "3");
  abandonments.add(pod("gone", { node: "n2" }), "4");
  abandonments.add(pod("native", { endpoint: { protocol: "http1", host: "10.0.0.2", port: 80 } }), "5");
  expect(told).toEqual([]);
  await clock.advance(1);
  expect(told).toEqual([
    ["n1", "a", ["1", "3"]],
    ["n1", "b", ["2"]],
  ]);
  abandonments.add(pod("a"), "6");
  await clock.advance(1_000);
  expect(told.slice(2)).toEqual([["n1", "a", ["6"]]]);
});

test("of a crowd that leaves at once a bounded number is told of", async () => {
  const clock = new FakeClock();
  let count = 0;
  const abandonments = new Abandonments({ clock, node: () => node, tell: (_node, _uid, ids) => (count = ids.length) });
  for (let request = 0; request < 2_000; request++) abandonments.add(pod("a"), String(request));
  await clock.advance(500);
  expect(count).toBe(500);
});
