import { annotation, label, pods, revisions, type RevisionScaling } from "@shallop/sdk/api";
import { ImageFault } from "@shallop/sdk/image";
import { expect, test } from "vitest";
import { PodFault } from "../pod/pod-runtime.ts";
import { FakeWorld } from "./world.fake.ts";

const ask = { namespace: "default", revision: "hello-00001" };
const revisionOf = (world: FakeWorld) => world.api.find(revisions, "default", "hello-00001");
const code = (error: unknown): unknown => (error as { code?: unknown }).code;

/** A world whose agent has the revision prepared. */
async function prepared(recordDelayMs = 0, scaling?: RevisionScaling): Promise<FakeWorld> {
  const world = await FakeWorld.open();
  world.recordDelayMs = recordDelayMs;
  const revision = world.revision();
  if (scaling !== undefined) world.revision(revision.metadata.name, { status: { ...revision.status, scaling } });
  await world.start();
  await world.until(() => (revisionOf(world)?.status?.preparedNodes?.length ?? 0) > 0);
  return world;
}

test("a bound pod is pulled, started, and reported ready with its endpoint", async () => {
  await using world = await FakeWorld.open();
  world.revision();
  world.bound("hello-00001-a");
  await world.start();
  await world.until(() => world.podStates()[0] === "hello-00001-a Running True");
  const pod = world.pod("hello-00001-a");
  expect(pod?.metadata.annotations).toMatchObject({ [annotation.variantReason]: "Wasm comes first." });
  expect(JSON.parse(pod?.metadata.annotations?.[annotation.endpoint] ?? "")).toMatchObject({ protocol: "wire" });
  expect(pod?.metadata.labels?.[label.variant]).toBe("wasm");
  expect(pod?.status?.containerStatuses?.[0]).toMatchObject({
    ready: true,
    imageID: "reg/hello@sha256:1",
    restartCount: 0,
  });
  // Limits that only the revision knows.
  expect(world.runtime.launches[0]?.limits).toMatchObject({ requestTimeoutMs: 7000, concurrencyMax: 3 });
});

test("a deleted pod is drained with its grace, then let go of", async () => {
  await using world = await FakeWorld.open();
  const pod = world.bound("a");
  await world.start();
  await world.until(() => world.podStates()[0] === "a Running True");
  world.api.put(pods, {
    ...world.pod("a")!,
    metadata: { ...world.pod("a")!.metadata, deletionTimestamp: "2026-01-01T00:00:09Z", deletionGracePeriodSeconds: 9 },
  });
  await world.until(() => world.podStates().length === 0);
  expect(world.runtime.calls).toContain(`stop ${pod.metadata.uid} 9000`);
  expect(world.api.writes).toContain("delete pods a 0");
  await world.until(() => world.agent.pods.all.length === 0);
});

test("an image that cannot be pulled is told as ImagePullBackOff, and tried again", async () => {
  await using world = await FakeWorld.open();
  world.images.failNext = [new Error("no such image")];
  world.bound("a");
  await world.start();
  await world.until(() => world.pod("a")?.status !== undefined && world.agent.pods.all[0]?.state.phase === "backoff");
  await world.until(() =>
    JSON.stringify(world.pod("a")?.status?.containerStatuses?.[0]?.state).includes("ImagePullBackOff"),
  );
  await world.clock.advance(10_000);
  await world.until(() => world.podStates()[0] === "a Running True");
});

test("a pod that dies is started again: at once, then with backoff; the log keeps the run before", async () => {
  await using world = await FakeWorld.open();
  const { uid } = world.bound("a").metadata;
  await world.start();
  await world.until(() => world.podStates()[0] === "a Running True");
  world.runtime.die(uid, { exitCode: 137, reason: "OOMKilled", message: "used 64 MiB" });
  await world.until(() => world.pod("a")?.status?.containerStatuses?.[0]?.restartCount === 1);
  await world.until(() => world.agent.pods.all[0]?.run !== undefined);
  expect(world.pod("a")?.status?.containerStatuses?.[0]?.lastState).toMatchObject({
    terminated: { reason: "OOMKilled" },
  });
  world.runtime.die(uid);
  await world.until(() =>
    JSON.stringify(world.pod("a")?.status?.containerStatuses?.[0]?.state).includes("CrashLoopBackOff"),
  );
  expect(world.runtime.calls.filter((call) => call === "start a")).toHaveLength(2);
  await world.clock.advance(9_999);
  expect(world.runtime.calls.filter((call) => call === "start a")).toHaveLength(2);
  await world.clock.advance(1);
  await world.until(() => world.runtime.calls.filter((call) => call === "start a").length === 3);
});

test("a home prepares its revision, says so in the status, and tells the variant as an event", async () => {
  await using world = await prepared();
  expect(revisionOf(world)?.status).toMatchObject({
    preparedNodes: [{ node: "n1", variant: "wasm", reason: "Wasm comes first." }],
    failedNodes: [],
  });
  await world.until(() => /Normal VariantChosen Revision hello-00001: .*wasm variant/.test(world.events.join("\n")));
  expect(world.images.asked).toEqual(["reg/hello@sha256:9 any"]);
});

test("a home that cannot prepare says why, goes on trying, and takes it back when it could", async () => {
  await using world = await FakeWorld.open();
  world.images.failNext = [new PodFault("IMAGE_INVALID", "not a component")];
  world.revision();
  await world.start();
  await world.until(() => (revisionOf(world)?.status?.failedNodes?.length ?? 0) > 0);
  expect(revisionOf(world)?.status?.failedNodes).toEqual([
    { node: "n1", code: "IMAGE_INVALID", message: "not a component" },
  ]);
  expect(world.events.join("\n")).toMatch(/Warning PrepareFailed Revision/);
  await expect(world.agent.activator.activate(ask)).rejects.toSatisfy((error) => code(error) === "NO_USABLE_VARIANT");
  await world.clock.advance(300);
  await world.until(() => (revisionOf(world)?.status?.preparedNodes?.length ?? 0) > 0);
  expect(revisionOf(world)?.status?.failedNodes).toEqual([]);
});

test("a node that is no home any more takes its word back and lets the image go", async () => {
  await using world = await prepared();
  const revision = revisionOf(world)!;
  world.api.put(revisions, { ...revision, status: { ...revision.status, homeNodes: ["n2"] } });
  await world.until(() => revisionOf(world)?.status?.preparedNodes?.length === 0);
  await world.until(() => world.images.retained.size === 0 && world.agent.homes.all.length === 0);
});

test("an activated pod is recorded when its first request has had the time to be answered", async () => {
  await using world = await prepared(100);
  await world.agent.activator.activate(ask);
  world.agent.wake();
  await world.clock.advance(99);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(world.podStates()).toEqual([]);
  await world.clock.advance(1);
  await world.until(() => world.podStates().length === 1);
});

test("a thousand requests at once activate one pod, which is recorded afterwards", async () => {
  await using world = await prepared();
  const activations = await Promise.all(Array.from({ length: 1000 }, () => world.agent.activator.activate(ask)));
  expect(new Set(activations.map(({ podName }) => podName)).size).toBe(1);
  expect(world.runtime.launches).toHaveLength(1);
  const { podName } = activations[0]!;
  expect(podName).toMatch(/^hello-00001-[a-z0-9]{5}$/);
  await world.until(() => world.podStates()[0] === `${podName} Running True`);
  const pod = world.pod(podName);
  expect(pod?.spec.nodeName).toBe("n1");
  expect(pod?.metadata.annotations?.[annotation.activatedAt]).toMatch(/^2026-01-01T/);
  expect(pod?.metadata.ownerReferences?.[0]).toMatchObject({ kind: "Revision", name: "hello-00001", controller: true });
  expect(pod?.metadata.labels).toMatchObject({
    [label.revision]: "hello-00001",
    [label.service]: "hello",
    [label.variant]: "wasm",
  });
  const env = new Map(world.runtime.launches[0]?.env.map(({ name, value }) => [name, value]));
  expect(Object.fromEntries(env)).toMatchObject({
    GREETING: "hi",
    K_SERVICE: "hello",
    K_REVISION: "hello-00001",
    PORT: "8080",
  });
  // The pod is found by both of its uids, and one that is ready is given at once.
  expect(world.agent.pods.byUid(pod?.metadata.uid ?? "")?.key).toBe(`default/${podName}`);
  expect(await world.agent.activator.activate(ask)).toMatchObject({ podName, started: false });
  await world.until(() => world.events.some((event) => event.includes(`Activated Pod ${podName}`)));
});

test("a further pod comes beside those that have enough to do, up to max-scale, and at zero cost for whoever asks again", async () => {
  await using world = await prepared(0, { maxScale: 2 });
  const { activator } = world.agent;
  const first = await activator.activate(ask);
  const beside = [first.podName];
  const further = await Promise.all([1, 2, 3].map(() => activator.activate({ ...ask, beside })));
  expect(new Set(further.map(({ podName }) => podName)).size).toBe(1);
  expect(further[0]?.podName).not.toBe(first.podName);
  expect(await activator.activate({ ...ask, beside })).toMatchObject({ podName: further[0]?.podName, started: false });
  await expect(activator.activate({ ...ask, beside: [...beside, further[0]?.podName ?? ""] })).rejects.toSatisfy(
    (error) => code(error) === "NO_CAPACITY",
  );
});

test("activation needs no control plane, and records the pod when it is back", async () => {
  await using world = await prepared();
  world.api.down = true;
  const { podName } = await world.agent.activator.activate(ask);
  expect(world.runtime.running).toHaveLength(1);
  await world.clock.advance(60_000);
  expect(world.runtime.running).toHaveLength(1);
  world.api.down = false;
  await world.clock.advance(20_000);
  await world.until(() => world.podStates()[0] === `${podName} Running True`);
  expect(world.runtime.launches).toHaveLength(1);
});

test("what an image policy refuses is not started, however long it has been prepared, and the reason is told", async () => {
  await using world = await prepared();
  world.images.refusal = new ImageFault("POLICY_DENIED", "image policy p refuses hello");
  await expect(world.agent.activator.activate(ask)).rejects.toThrow(/image policy p refuses hello/);
  expect(world.runtime.launches).toEqual([]);
  await world.until(() => world.events.some((line) => line.startsWith("Warning ActivationFailed Revision")));
  world.bound("a");
  await world.until(() => JSON.stringify(world.pod("a")?.status ?? "").includes("image policy p refuses hello"));
  world.images.refusal = undefined;
  await world.clock.advance(20_000);
  await world.until(() => world.podStates()[0] === "a Running True");
});

const otherVariant = {
  image: {
    variant: "native",
    digest: "sha256:9",
    layerPaths: [],
    sizeBytes: 1,
    config: { env: [], entrypoint: [], cmd: [], workingDir: "", user: "", exposedPorts: [] },
  },
  imageId: "registry/hello@sha256:9",
  reason: "Native.",
} as const;

test("a pod that mounts a path of the machine and has a component only is refused, and told why: it does not run without it", async () => {
  await using world = await FakeWorld.open();
  const volumeMounts = [{ name: "v", mountPath: "/v" }];
  const containers = [{ name: "main", image: "reg/hello@sha256:9", volumeMounts }];
  world.bound("a", { spec: { containers, volumes: [{ name: "v", hostPath: { path: "/srv" } }] } });
  await world.start();
  await world.until(() => JSON.stringify(world.pod("a")?.status ?? "").includes("is a path of the machine"));
  expect(world.runtime.launches).toHaveLength(0);
});

test("a component that traps at its start three times gives way to the native variant, and the request goes on waiting", async () => {
  await using world = await prepared();
  world.images.other = otherVariant;
  const dies = () => new PodFault("EXITED", "it threw at start");
  world.runtime.failStarts = [dies(), dies(), dies(), dies()];
  expect(await world.agent.activator.activate(ask)).toMatchObject({ started: true });
  expect(world.runtime.launches).toHaveLength(3);
  expect(world.native.launches).toHaveLength(1);
  // The next pod of the revision begins with it.
  const [home] = world.agent.homes.all;
  expect(home?.preparation).toMatchObject({ phase: "prepared", prepared: { image: { variant: "native" } } });
  await world.until(() =>
    world.events.some((event) => /VariantFellBack Pod .*3 times \(it threw at start/.test(event)),
  );
  expect(world.events.some((event) => event.startsWith("Warning VariantFellBack Revision"))).toBe(true);
});

test("a component that is not ready in time gives way at once; one that traps once does not", async () => {
  await using world = await prepared();
  world.images.other = otherVariant;
  world.runtime.failStarts = [new PodFault("EXITED", "a bad moment")];
  expect(await world.agent.activator.activate(ask)).toMatchObject({ started: true });
  expect(world.native.launches).toHaveLength(0);
  for (const pod of world.agent.pods.all) pod.stop(0);
  await world.until(() => world.agent.pods.all.every((pod) => pod.state.phase === "ended"));
  world.runtime.failStarts = [new PodFault("START_TIMEOUT", "not ready within 60000 ms")];
  expect(await world.agent.activator.activate(ask)).toMatchObject({ started: true });
  expect(world.native.launches).toHaveLength(1);
});

test("an activation that fails leaves nothing, tells why, and is not repeated for each request", async () => {
  await using world = await prepared();
  const dies = () => new PodFault("EXITED", "it threw at start");
  world.runtime.failStarts = [dies(), dies(), dies()];
  for (let n = 0; n < 2; n++) {
    await expect(world.agent.activator.activate(ask)).rejects.toSatisfy((error) => code(error) === "START_FAILED");
  }
  expect(world.agent.pods.all).toEqual([]);
  // The second failure in a row makes it wait ten seconds, as a crash loop.
  await expect(world.agent.activator.activate(ask)).rejects.toThrow(
    /2 starts in a row have failed, the next is tried in 10s/,
  );
  expect(world.runtime.launches).toHaveLength(2);
  world.runtime.failStarts = [];
  await world.clock.advance(10_000);
  expect(await world.agent.activator.activate(ask)).toMatchObject({ started: true });
  await world.until(() => world.api.writes.some((write) => write.startsWith("create pods")));
  expect(world.api.writes.filter((write) => write.startsWith("create pods"))).toHaveLength(1);
});

test.each([
  ["NO_CAPACITY", "NO_CAPACITY"],
  ["IMPORTS_UNMET", "NO_USABLE_VARIANT"],
  ["START_TIMEOUT", "START_FAILED"],
] as const)("a start refused with %s is told as %s", async (fault, told) => {
  await using world = await prepared();
  world.runtime.failStarts = [new PodFault(fault, "no")];
  await expect(world.agent.activator.activate(ask)).rejects.toSatisfy((error) => code(error) === told);
});

test("a revision that is not here is NOT_PREPARED, one too many is NO_CAPACITY", async () => {
  await using world = await prepared();
  await expect(world.agent.activator.activate({ ...ask, revision: "other" })).rejects.toSatisfy(
    (error) => code(error) === "NOT_PREPARED",
  );
  await using small = await FakeWorld.open();
  small.room = { podsMax: 1, memoryBytes: 1024 ** 3 };
  small.revision();
  small.bound("a", { metadata: { labels: {} } });
  await small.start();
  await small.until(
    () => small.agent.pods.all[0]?.run !== undefined && small.agent.homes.all[0]?.preparation.phase === "prepared",
  );
  await expect(small.agent.activator.activate(ask)).rejects.toSatisfy((error) => code(error) === "NO_CAPACITY");
});

test("memory is a budget: a bound pod that does not fit waits, and starts when there is room", async () => {
  await using world = await FakeWorld.open();
  world.room = { podsMax: 10, memoryBytes: 100 * 1024 * 1024 };
  const asking = { containers: [{ image: "i", resources: { requests: { memory: "80Mi" } } }] };
  world.bound("a", { spec: asking });
  await world.start();
  await world.until(() => world.podStates()[0] === "a Running True");
  world.bound("b", { spec: asking });
  await world.until(() => JSON.stringify(world.pod("b")?.status ?? "").includes("NoCapacity"));
  world.api.remove(pods, "default", "a");
  await world.until(() => world.agent.pods.get("default/a") === undefined);
  await world.clock.advance(10_000);
  await world.until(() => world.podStates()[0] === "b Running True");
});

test("an agent that was killed is followed by one that takes its pods over, without the control plane", async () => {
  await using world = await prepared();
  world.bound("a");
  const { podName } = await world.agent.activator.activate(ask);
  await world.until(
    () => world.podStates().every((state) => state.endsWith("Running True")) && world.podStates().length === 2,
  );
  await world.kill();
  world.api.down = true;
  await world.start({ synced: false });
  expect(world.agent.pods.all.map(({ manifest, state }) => `${manifest.name} ${state.phase}`).sort()).toEqual([
    "a ready",
    `${podName} ready`,
  ]);
  expect(world.runtime.launches).toEqual([]);
  // It can even activate, from what it stored.
  await world.until(() => world.agent.homes.all[0]?.preparation.phase === "prepared");
  expect(await world.agent.activator.activate(ask)).toMatchObject({ started: false });
  world.api.down = false;
  world.sync();
  await world.clock.advance(20_000);
  expect(world.podStates()).toEqual(["a Running True", `${podName} Running True`]);
  expect(world.runtime.running).toHaveLength(2);
});

test("an activated pod that was not recorded before the agent was killed is recorded by the next", async () => {
  await using world = await prepared();
  world.api.down = true;
  const { podName } = await world.agent.activator.activate(ask);
  await world.kill();
  await world.start({ synced: false });
  world.api.down = false;
  world.sync();
  await world.until(() => world.podStates()[0] === `${podName} Running True`);
  expect(world.runtime.launches).toEqual([]);
});

test("what nobody knows is stopped, but not before the first list", async () => {
  await using world = await FakeWorld.open();
  world.machine.running.set("stray", {
    uid: "stray",
    namespace: "default",
    name: "stray",
    endpoint: { protocol: "wire", socket: "/s" },
    containerId: "wasm://stray",
  });
  await world.start({ synced: false });
  await world.clock.advance(30_000);
  expect(world.runtime.running).toHaveLength(1);
  world.sync();
  await world.until(() => world.runtime.running.length === 0);
});

test("a pod that was lost while no agent ran is started again and counted as a restart", async () => {
  await using world = await FakeWorld.open();
  world.bound("a");
  await world.start();
  await world.until(() => world.podStates()[0] === "a Running True");
  await world.kill();
  world.machine.running.clear();
  await world.start();
  await world.until(() => world.pod("a")?.status?.containerStatuses?.[0]?.restartCount === 1);
  await world.until(() => world.podStates()[0] === "a Running True");
});

test("a pod that is to run once and was lost while no agent ran has failed, and is not run again", async () => {
  await using world = await FakeWorld.open();
  world.bound("a", { spec: { restartPolicy: "Never" } });
  await world.start();
  await world.until(() => world.podStates()[0] === "a Running True");
  await world.kill();
  world.machine.running.clear();
  await world.start();
  await world.until(() => world.pod("a")?.status?.phase === "Failed");
  const [container] = world.pod("a")?.status?.containerStatuses ?? [];
  expect(container).toMatchObject({
    restartCount: 0,
    state: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown" } },
  });
  expect(world.runtime.running).toHaveLength(0);
});

test("a creation whose answer was lost is not repeated", async () => {
  await using world = await prepared();
  const create = world.api.create.bind(world.api);
  let lost = 0;
  world.api.create = async (resource, object) => {
    const created = await create(resource, object);
    if (lost++ > 0) return created;
    throw new Error("the connection broke");
  };
  const { podName } = await world.agent.activator.activate(ask);
  await world.clock.advance(1000);
  await world.until(() => world.podStates()[0] === `${podName} Running True`);
  expect(world.podStates()).toHaveLength(1);
  expect(world.runtime.running).toHaveLength(1);
});

test("loss of the control plane stops nothing; what it thought meanwhile is corrected", async () => {
  await using world = await FakeWorld.open();
  world.bound("a");
  await world.start();
  await world.until(() => world.podStates()[0] === "a Running True");
  world.api.down = true;
  await world.clock.advance(600_000);
  expect(world.runtime.running).toHaveLength(1);
  const pod = world.pod("a")!;
  world.api.put(pods, {
    ...pod,
    status: { ...pod.status, phase: "Running", conditions: [{ type: "Ready", status: "Unknown" }] },
  });
  world.api.down = false;
  await world.clock.advance(20_000);
  await world.until(() => world.podStates()[0] === "a Running True");
});

test("an orderly stop leaves nothing running; one that keeps pods leaves them", async () => {
  await using world = await FakeWorld.open();
  world.bound("a");
  await world.start();
  await world.until(() => world.agent.pods.all[0]?.run !== undefined);
  await world.agent.stop({ keepPods: true, graceMsMax: 1000 });
  expect(world.runtime.running).toHaveLength(1);
  await world.start();
  const stopping = world.agent.stop({ keepPods: false, graceMsMax: 1000 });
  await world.clock.advance(100);
  await stopping;
  expect(world.runtime.running).toEqual([]);
});
