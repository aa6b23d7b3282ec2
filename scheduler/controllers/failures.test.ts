import { nodes, pods, revisions } from "@shallop/sdk/api";
import { describe, expect, test } from "vitest";
import { World } from "./control-plane.fake.ts";

describe("what goes wrong", () => {
  test("the pods of a lost node come up elsewhere, and are not kept twice when it is back", async () => {
    await using world = await World.start(["a", "b", "c"]);
    await world.deploy("hello", "hello:1", { "autoscaling.knative.dev/min-scale": "2" });
    await world.ready("hello");
    await world.until("two pods", async () => (await world.podsOf("hello-00001")).length === 2);
    const lost = (await world.podsOf("hello-00001"))[0]!.spec.nodeName!;
    world.agent(lost).isUp = false;
    await world.pass(22_000);
    const node = await world.client.get(nodes, undefined, lost);
    expect(node.status?.conditions?.[0]).toMatchObject({
      type: "Ready",
      status: "Unknown",
      reason: "NodeStatusUnknown",
    });
    const marked = (await world.podsOf("hello-00001")).filter(({ spec }) => spec.nodeName === lost);
    expect(marked[0]?.status?.conditions?.[0]).toMatchObject({ status: "False", reason: "NodeNotReady" });
    await world.pass(10_000);
    const elsewhere = (await world.podsOf("hello-00001")).filter(({ spec }) => spec.nodeName !== lost);
    expect(elsewhere).toHaveLength(2);
    const revision = await world.client.get(revisions, "default", "hello-00001");
    expect(revision.status?.homeNodes).not.toContain(lost);
    world.agent(lost).isUp = true;
    await world.pass(10_000);
    expect(await world.podsOf("hello-00001")).toHaveLength(2);
    expect(await world.reasons()).toEqual(expect.arrayContaining(["NodeNotReady", "PodLost"]));
  });

  test("on the only node, pods are there again when it is back", async () => {
    await using world = await World.start(["a"]);
    await world.deploy("hello", "hello:1", { "autoscaling.knative.dev/min-scale": "2" });
    await world.ready("hello");
    await world.until("two pods", async () => (await world.podsOf("hello-00001")).length === 2);
    const before = (await world.podsOf("hello-00001")).map(({ metadata }) => metadata.uid);
    world.agent("a").isUp = false;
    await world.pass(60_000);
    world.agent("a").isUp = true;
    await world.pass(10_000);
    expect((await world.podsOf("hello-00001")).map(({ metadata }) => metadata.uid)).toEqual(before);
  });

  test("pods of a node that was removed are removed", async () => {
    await using world = await World.start(["a", "b"]);
    await world.deploy("hello", "hello:1", { "autoscaling.knative.dev/min-scale": "1" });
    await world.ready("hello");
    const node = (await world.podsOf("hello-00001"))[0]!.spec.nodeName!;
    world.agent(node).isUp = false;
    await world.client.delete(nodes, { name: node });
    await world.pass(10_000);
    const left = await world.podsOf("hello-00001");
    expect(left).toHaveLength(1);
    expect(left[0]?.spec.nodeName).not.toBe(node);
  });

  test("after a restart nothing is scaled down for lack of history, and nothing is made twice", async () => {
    await using world = await World.start(["a", "b"]);
    await world.deploy("hello", "hello:1");
    await world.ready("hello");
    await world.withLoad("hello-00001", 300, 10_000);
    const before = (await world.podsOf("hello-00001")).map(({ metadata }) => metadata.name);
    expect(before).toHaveLength(5);
    await world.restart();
    await world.pass(20_000);
    expect((await world.podsOf("hello-00001")).map(({ metadata }) => metadata.name)).toEqual(before);
    expect((await world.client.list(revisions)).items).toHaveLength(1);
  });

  test("a pod that fails is replaced after a pause that grows", async () => {
    await using world = await World.start(["a"]);
    await world.deploy("hello", "hello:1", { "autoscaling.knative.dev/min-scale": "1" });
    await world.ready("hello");
    const fail = async (): Promise<void> => {
      const [pod] = await world.podsOf("hello-00001");
      await world.client.updateStatus(pods, {
        ...pod!,
        status: { phase: "Failed", reason: "OutOfMemory", message: "the node was full" },
      });
    };
    for (const pauseMs of [10_000, 20_000]) {
      await fail();
      await world.pass(pauseMs - 2000);
      expect(await world.podsOf("hello-00001")).toEqual([]);
      await world.pass(4000);
      expect(await world.podsOf("hello-00001")).toHaveLength(1);
    }
    expect(await world.reasons()).toContain("PodEnded");
  });

  test("an image that no home can get is said within seconds, and is got when the way to it is mended", async () => {
    await using world = await World.start(["a", "b"]);
    for (const agent of world.agents) agent.refusal = "REGISTRY_UNREACHABLE";
    await world.deploy("hello", "hello:1");
    await world.pass(2_000);
    expect(await world.condition("hello")).toMatchObject({ status: "Unknown" });
    await world.pass(3_000);
    expect(await world.condition("hello")).toMatchObject({ status: "False", reason: "RevisionFailed" });
    expect((await world.condition("hello"))?.message).toContain("no variant for this node");
    await world.restart();
    await world.pass(1_000);
    expect(await world.condition("hello")).toMatchObject({ status: "False" });
    for (const agent of world.agents) agent.refusal = undefined;
    await world.ready("hello");
  });

  test("an image that comes after the revision's deadline is run all the same", async () => {
    await using world = await World.start(["a", "b"]);
    for (const agent of world.agents) agent.refusal = "REGISTRY_UNREACHABLE";
    await world.deploy("hello", "hello:1", { "serving.knative.dev/progress-deadline": "30s" });
    await world.pass(120_000);
    expect(await world.condition("hello")).toMatchObject({ status: "False" });
    for (const agent of world.agents) agent.refusal = undefined;
    await world.ready("hello");
  });

  test("the scale of an image that nobody has found is nobody's news", async () => {
    await using world = await World.start(["a"]);
    await world.deploy("hello", "later:1", { "autoscaling.knative.dev/min-scale": "3" });
    await world.withLoad("hello-00001", 100, 5_000);
    expect(await world.reasons()).not.toContain("ScaledUp");
    world.images.present.add("later:1");
    await world.ready("hello");
    expect(await world.reasons()).toContain("ScaledUp");
    expect(await world.podsOf("hello-00001")).not.toEqual([]);
  });

  test("the first pods of a revision are spread, though one home has the image before the other", async () => {
    await using world = await World.start(["a", "b"]);
    world.agent("b").prepares = false;
    await world.deploy("hello", "hello:1", { "autoscaling.knative.dev/min-scale": "2" });
    await world.until("two pods", async () => (await world.podsOf("hello-00001")).length === 2);
    const placed = (await world.podsOf("hello-00001")).map(({ spec }) => spec.nodeName);
    expect(new Set(placed)).toEqual(new Set(["a", "b"]));
  });

  test("a revision that does not come up is given up at its deadline", async () => {
    await using world = await World.start(["a"]);
    world.agent("a").starts = false;
    await world.deploy("hello", "hello:1", { "serving.knative.dev/progress-deadline": "30s" });
    await world.pass(36_000);
    expect(await world.condition("hello")).toMatchObject({ status: "False", reason: "RevisionFailed" });
    await world.pass(40_000);
    expect(await world.podsOf("hello-00001")).toEqual([]);
  });

  test("an activated pod is not taken for one too many when the report of its request was lost", async () => {
    await using world = await World.start(["a"], ["stable-window=6s", "scale-to-zero-grace-period=6s"]);
    await world.deploy("hello", "hello:1");
    await world.ready("hello");
    await world.until("zero pods", async () => (await world.podsOf("hello-00001")).length === 0);
    const { metadata } = await world.agent("a").activate("default", "hello-00001");
    await world.pass(4000);
    expect((await world.podsOf("hello-00001")).map((pod) => pod.metadata.uid)).toEqual([metadata.uid]);
    await world.until("zero pods again", async () => (await world.podsOf("hello-00001")).length === 0);
  });

  test("when no node answers the gateway, the control plane starts the pod itself", async () => {
    await using world = await World.start(["a"], ["stable-window=6s", "scale-to-zero-grace-period=6s"]);
    await world.deploy("hello", "hello:1");
    await world.ready("hello");
    await world.until("zero pods", async () => (await world.podsOf("hello-00001")).length === 0);
    const waiting = {
      namespace: "default",
      revision: "hello-00001",
      averageConcurrency: 1,
      requestCount: 1,
      periodMs: 10,
      waiting: 1,
    };
    world.controllers.report({ gateway: "gateway-1", revisions: [waiting] });
    await world.pass(2000);
    expect(await world.podsOf("hello-00001")).toEqual([]);
    await world.pass(2000);
    expect(await world.podsOf("hello-00001")).toHaveLength(1);
  });
});
