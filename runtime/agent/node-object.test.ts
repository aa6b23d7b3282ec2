import { nodes } from "@shallop/sdk/api";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { FakeApi } from "./api.fake.ts";
import { type NodeFacts, NodeRegistration } from "./node-object.ts";

const facts: NodeFacts = {
  name: "n1",
  hostname: "host",
  hostIp: "10.0.0.1",
  os: "linux",
  architecture: "amd64",
  cpuCount: 2,
  memoryBytes: 4 * 1024 ** 3,
  room: { podsMax: 250, memoryBytes: 3 * 1024 ** 3 },
  machine: "m",
  agentAddress: "10.0.0.1:10250",
  agentPort: 10250,
  agentSocket: "/run/agent.sock",
  activationSocket: "/run/activate.sock",
  features: { native: false, nativeMissing: "no runc", wasiFamilies: [], missing: [] },
  nodeInfo: { kubeletVersion: "v1" },
};
const signal = AbortSignal.timeout(5000);
const read = (api: FakeApi) => api.find(nodes, undefined, "n1");

test("registers, then beats: the heartbeat time moves, the transition time does not", async () => {
  const [api, clock] = [new FakeApi(), new FakeClock()];
  const registration = new NodeRegistration(api, clock, facts);
  await registration.beat(signal);
  expect(read(api)).toMatchObject({
    metadata: {
      labels: { "kubernetes.io/arch": "amd64" },
      annotations: { "shallop.dev/agent-address": "10.0.0.1:10250", "shallop.dev/machine": "m" },
    },
    status: {
      capacity: { cpu: "2", memory: "4194304Ki", pods: "250" },
      allocatable: { memory: "3145728Ki" },
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    },
  });
  await clock.advance(5000);
  await registration.beat(signal);
  expect(read(api)?.status?.conditions).toMatchObject([
    {
      type: "Ready",
      status: "True",
      lastHeartbeatTime: "2026-01-01T00:00:05Z",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    },
    { type: "IsolationComplete", status: "True", reason: "NothingMissing", message: "" },
  ]);
  await registration.farewell(signal);
  expect(read(api)?.status?.conditions).toMatchObject([
    { status: "False", reason: "AgentStopped" },
    { type: "IsolationComplete" },
  ]);
});

test("keeps what others wrote: taints, labels, conditions; and comes back after a deletion", async () => {
  const [api, clock] = [new FakeApi(), new FakeClock()];
  const registration = new NodeRegistration(api, clock, facts);
  await registration.beat(signal);
  const node = read(api)!;
  api.put(nodes, {
    ...node,
    metadata: { ...node.metadata, labels: { ...node.metadata.labels, zone: "a" } },
    spec: { unschedulable: true },
    status: {
      ...node.status,
      conditions: [{ type: "DiskPressure", status: "False" }, ...(node.status?.conditions ?? [])],
    },
  });
  await registration.beat(signal);
  expect(read(api)).toMatchObject({ metadata: { labels: { zone: "a" } }, spec: { unschedulable: true } });
  expect(read(api)?.status?.conditions?.map(({ type }) => type)).toEqual([
    "DiskPressure",
    "Ready",
    "IsolationComplete",
  ]);
  api.remove(nodes, undefined, "n1");
  await registration.beat(signal);
  expect(read(api)?.status?.conditions).toMatchObject([{ type: "Ready", status: "True" }, {}]);
});

test("says what the machine lacks, and since when", async () => {
  const [api, clock] = [new FakeApi(), new FakeClock()];
  const missing = ["host processes run as the agent's own user: only root may give them others", "cgroups need root"];
  const registration = new NodeRegistration(api, clock, { ...facts, features: { ...facts.features, missing } });
  await registration.beat(signal);
  await clock.advance(5000);
  await registration.beat(signal);
  expect(read(api)?.status?.conditions?.[1]).toEqual({
    type: "IsolationComplete",
    status: "False",
    reason: "MachineLacks",
    message: missing.join("; "),
    lastTransitionTime: "2026-01-01T00:00:00Z",
  });
});
