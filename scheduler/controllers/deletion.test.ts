import { annotation, apiVersionOf, configurations, events, namespaces, pods, services } from "@shallop/sdk/api";
import { describe, expect, test } from "vitest";
import { servingKinds, World } from "./control-plane.fake.ts";

describe("deletion", () => {
  test("a namespace goes with everything in it", async () => {
    await using world = await World.start(["a"]);
    await world.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    await world.client.create(services, {
      apiVersion: apiVersionOf(services),
      kind: "Service",
      metadata: { name: "hello", namespace: "team" },
      spec: { template: { spec: { containers: [{ image: "hello:1" }] } } },
    });
    await world.until("a pod", async () => (await world.client.list(pods, { namespace: "team" })).items.length === 1);
    await world.client.delete(namespaces, { name: "team" });
    await world.until("the namespace is gone", async () =>
      (await world.client.list(namespaces)).items.every(({ metadata }) => metadata.name !== "team"),
    );
    expect((await world.client.list(pods)).items).toEqual([]);
    expect((await world.client.list(events, { namespace: "team" })).items).toEqual([]);
    expect(world.errors).toEqual([]);
  });

  test("in the foreground: the Service goes last", async () => {
    await using world = await World.start(["a"]);
    await world.deploy("hello", "hello:1");
    await world.ready("hello");
    world.agent("a").isUp = false;
    const finalizers = ["foregroundDeletion"];
    await world.client.patch(
      services,
      { namespace: "default", name: "hello" },
      { type: "merge", body: { metadata: { finalizers } } },
    );
    await world.client.delete(services, { namespace: "default", name: "hello" });
    await world.pass(3000);
    // The pod waits for its node, and the others for the pod.
    expect((await world.service("hello")).metadata.deletionTimestamp).toBeDefined();
    expect((await world.podsOf("hello-00001"))[0]?.metadata.deletionTimestamp).toBeDefined();
    world.agent("a").isUp = true;
    await world.until("all is gone", async () => (await world.client.list(services)).items.length === 0);
    for (const resource of servingKinds) {
      expect((await world.client.list(resource)).items).toEqual([]);
    }
  });

  test("orphaned dependents stay", async () => {
    await using world = await World.start(["a"]);
    await world.deploy("hello", "hello:1");
    await world.ready("hello");
    const finalizers = ["orphan"];
    await world.client.patch(
      services,
      { namespace: "default", name: "hello" },
      { type: "merge", body: { metadata: { finalizers } } },
    );
    await world.client.delete(services, { namespace: "default", name: "hello" });
    await world.until("the service is gone", async () => (await world.client.list(services)).items.length === 0);
    await world.pass(3000);
    const { items } = await world.client.list(configurations);
    expect(items.map(({ metadata }) => metadata.ownerReferences ?? [])).toEqual([[]]);
    expect(await world.podsOf("hello-00001")).toHaveLength(1);
    expect(items[0]?.metadata.annotations?.[annotation.creator]).toBe("system:controllers");
  });
});
