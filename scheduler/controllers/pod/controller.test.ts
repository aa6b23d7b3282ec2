import { type NewObject, type Node, nodes, type Pod, pods } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { World } from "../control-plane.fake.ts";

const podOf = (name: string, spec: Partial<Pod["spec"]> = {}): NewObject<Pod> => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "c", image: "hello:1" }], ...spec },
});

test("a pod without a node is bound to one, with the reason", async () => {
  await using world = await World.start(["a", "b"]);
  await world.client.create(pods, podOf("plain"));
  await world.pass(1000);
  const pod = await world.client.get(pods, "default", "plain");
  expect(["a", "b"]).toContain(pod.spec.nodeName);
  expect(pod.metadata.annotations?.["shallop.dev/placement-reason"]).toMatch(/points/);
});

test("a pod that fits nowhere says why, and is bound when there is room; one of another scheduler is left alone", async () => {
  await using world = await World.start(["a"]);
  const cordon = async (unschedulable: boolean): Promise<void> => {
    const node: Node = await world.client.get(nodes, undefined, "a");
    await world.client.update(nodes, { ...node, spec: { ...node.spec, unschedulable } });
  };
  await cordon(true);
  await world.client.create(pods, podOf("waits"));
  await world.client.create(pods, podOf("foreign", { schedulerName: "other" }));
  await world.pass(1000);
  const waiting = await world.client.get(pods, "default", "waits");
  expect(waiting.spec.nodeName).toBeUndefined();
  expect(waiting.status?.conditions).toEqual([
    expect.objectContaining({ type: "PodScheduled", status: "False", reason: "Unschedulable" }),
  ]);
  expect(waiting.status?.conditions?.[0]?.message).toMatch(/cordoned/);
  await cordon(false);
  await world.pass(6000);
  expect((await world.client.get(pods, "default", "waits")).spec.nodeName).toBe("a");
  expect((await world.client.get(pods, "default", "foreign")).spec.nodeName).toBeUndefined();
});
