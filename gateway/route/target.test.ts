import { annotation, type RevisionScaling, type RevisionSpec } from "@shallop/sdk/api";
import { describe, expect, test } from "vitest";
import { fakeNode, fakePod, fakeRevision } from "../gateway.fake.ts";
import { compileNode, compilePod, compileRevision, parseEndpoint } from "./target.ts";

describe("compileRevision", () => {
  test("fills in Knative's defaults", () => {
    expect(compileRevision(fakeRevision("r"))).toEqual({
      key: "default/r",
      namespace: "default",
      name: "r",
      service: "default/r",
      webSocket: {},
      concurrencyMax: 0,
      timeoutMs: 300_000,
      responseStartTimeoutMs: 300_000,
      idleTimeoutMs: 0,
      isHttp2: false,
      homes: ["n1"],
      hold: { sheds: "newest" },
      balance: {},
      growth: { perPod: 70, roomPerPod: 128, processorsPerPod: 1, podsMax: 200 },
    });
  });

  test("takes what is said; an answer cannot start later than it must be over", () => {
    const spec = {
      containerConcurrency: 3,
      timeoutSeconds: 10,
      responseStartTimeoutSeconds: 60,
      idleTimeoutSeconds: 5,
    };
    expect(compileRevision(fakeRevision("r", spec))).toMatchObject({
      concurrencyMax: 3,
      timeoutMs: 10_000,
      responseStartTimeoutMs: 10_000,
      idleTimeoutMs: 5_000,
    });
  });

  test("speaks HTTP/2 where the port says h2c", () => {
    const named = (name: string) =>
      compileRevision(fakeRevision("r", { containers: [{ image: "x", ports: [{ name, containerPort: 80 }] }] }));
    expect([named("h2c").isHttp2, named("http1").isHttp2]).toEqual([true, false]);
  });

  test("asks prepared homes first, and those that failed last", () => {
    const revision = fakeRevision("r", {}, ["a", "b", "c", "d"]);
    const prepared = (node: string) => ({ node, variant: "wasm", reason: "" }) as const;
    const failed = (node: string) => ({ node, code: "X", message: "" });
    const status = {
      ...revision.status,
      preparedNodes: [prepared("d"), prepared("c"), prepared("gone")],
      failedNodes: [failed("a"), failed("c")],
    };
    expect(compileRevision({ ...revision, status }).homes).toEqual(["c", "d", "b", "a"]);
  });
});

describe("compilePod", () => {
  const endpoint = { protocol: "wire", socket: "/run/x.sock" } as const;

  test("a ready pod with an endpoint can be used", () => {
    expect(compilePod(fakePod("p", "r", { endpoint }))).toMatchObject({
      uid: "uid-p",
      revision: "default/r",
      target: { uid: "uid-p", namespace: "default", name: "p", revision: "default/r", node: "n1", endpoint },
      ready: true,
      ending: false,
    });
  });

  test("one that is not ready, without endpoint, being deleted, or of no revision", () => {
    expect(compilePod(fakePod("p", "r", { endpoint, ready: false })).ready).toBe(false);
    expect(compilePod(fakePod("p", "r")).target).toBeUndefined();
    expect(compilePod(fakePod("p", "r", { endpoint, deleting: true })).ending).toBe(true);
    const failed = fakePod("p", "r", { endpoint });
    expect(compilePod({ ...failed, status: { phase: "Failed" } }).ending).toBe(true);
    expect(compilePod({ ...failed, metadata: { ...failed.metadata, labels: {} } }).revision).toBeUndefined();
  });
});

test("compileNode reads where the agent is", () => {
  const annotations = { [annotation.agentAddress]: "10.0.0.1:10250", [annotation.agentSocket]: "/run/agent.sock" };
  expect(compileNode(fakeNode("n", annotations))).toEqual({
    name: "n",
    machine: "here",
    agentAddress: "10.0.0.1:10250",
    agentSocket: "/run/agent.sock",
  });
  const withProcessors = { ...fakeNode("n"), status: { capacity: { cpu: "4", memory: "1Gi" } } };
  expect(compileNode(withProcessors).processors).toBe(4);
});

const endpoints: { json: string; good: boolean }[] = [
  { json: '{"protocol":"wire","socket":"/run/a.sock"}', good: true },
  { json: '{"protocol":"http1","host":"10.4.0.2","port":8080}', good: true },
  { json: '{"protocol":"http1","host":"fd00::1","port":8080}', good: true },
  { json: '{"protocol":"http1","host":"10.4.0.2","port":80,"gate":"/run/gate.sock"}', good: true },
  { json: '{"protocol":"http1","host":"10.4.0.2","port":80,"gate":"gate.sock"}', good: false },
  { json: '{"protocol":"http1","host":"10.4.0.2","port":80,"gate":1}', good: false },
  { json: '{"protocol":"wire","socket":"relative.sock"}', good: false },
  { json: `{"protocol":"wire","socket":"/${"a".repeat(107)}"}`, good: false },
  { json: '{"protocol":"http1","host":"metadata.internal","port":80}', good: false },
  { json: '{"protocol":"http1","host":"10.4.0.2","port":0}', good: false },
  { json: '{"protocol":"http1","host":"10.4.0.2","port":"80"}', good: false },
  { json: '{"protocol":"http2","host":"10.4.0.2","port":80}', good: false },
  { json: "null", good: false },
  { json: "{", good: false },
];
test.each(endpoints)("parseEndpoint($json) is taken: $good", ({ json, good }) => {
  expect(parseEndpoint(json)).toEqual(good ? JSON.parse(json) : undefined);
});

test.each<{ name: string; scaling: RevisionScaling | undefined; growth: unknown }>([
  {
    name: "as many as it likes",
    scaling: { maxScale: 0, concurrencyPerPod: 7 },
    growth: { perPod: 7, roomPerPod: 128, processorsPerPod: 1, podsMax: 200 },
  },
  {
    name: "a maximum",
    scaling: { maxScale: 3, concurrencyPerPod: 50 },
    growth: { perPod: 50, roomPerPod: 128, processorsPerPod: 1, podsMax: 3 },
  },
  {
    name: "one above what nodes add",
    scaling: { maxScale: 999, concurrencyPerPod: 1 },
    growth: { perPod: 1, roomPerPod: 128, processorsPerPod: 1, podsMax: 200 },
  },
  { name: "not by requests at once", scaling: { maxScale: 3 }, growth: undefined },
  { name: "what makes no sense", scaling: { maxScale: 3, concurrencyPerPod: 0 }, growth: undefined },
  { name: "not known yet", scaling: undefined, growth: undefined },
])("growth before the control plane is asked: $name", ({ scaling, growth }) => {
  const revision = fakeRevision("r");
  const { scaling: _none, ...status } = revision.status ?? {};
  const given = { ...revision, status: scaling === undefined ? status : { ...status, scaling } };
  expect(compileRevision(given).growth).toEqual(growth);
});

test("as many requests find room in a pod as its memory, its instances and its limit leave", () => {
  const roomOf = (spec: Partial<RevisionSpec>, annotations: Readonly<Record<string, string>> = {}) => {
    const { metadata, ...revision } = fakeRevision("r", spec);
    const status = { ...revision.status, scaling: { maxScale: 0, concurrencyPerPod: 7 } };
    return compileRevision({ ...revision, metadata: { ...metadata, annotations }, status }).growth?.roomPerPod;
  };
  const memory = (limit: string) => ({ containers: [{ image: "i", resources: { limits: { memory: limit } } }] });
  expect(roomOf(memory("512Mi"))).toBe(256);
  expect(roomOf(memory("1Mi")), "what it shall get anyway").toBe(7);
  expect(roomOf(memory("4Gi")), "instances").toBe(500);
  expect(roomOf(memory("4Gi"), { "limits.shallop.dev/instances": "4000" }), "what a gateway gives a pod").toBe(1000);
  expect(roomOf({ ...memory("4Gi"), containerConcurrency: 20 })).toBe(20);
});

test("a pod makes use of one processor, and of less where it is held to that", () => {
  const processorsOf = (cpu: string) => {
    const { status, ...revision } = fakeRevision("r", { containers: [{ image: "i", resources: { limits: { cpu } } }] });
    const scaling = { maxScale: 0, concurrencyPerPod: 7 };
    return compileRevision({ ...revision, status: { ...status, scaling } }).growth?.processorsPerPod;
  };
  expect(["250m", "1", "4"].map(processorsOf)).toEqual([0.25, 1, 1]);
});
