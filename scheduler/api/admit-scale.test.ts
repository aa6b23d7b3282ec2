import { type JsonObject, label } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { admin, at, openApi, pod, type TestApi } from "./api.fixture.ts";
import { deleteObject } from "./delete.ts";
import { createObject } from "./write.ts";

async function withRevision(maxScale: number | undefined): Promise<TestApi> {
  const api = await openApi();
  const target = at("revisions", "default", "hello-00001");
  const revision = {
    ...{ apiVersion: "serving.knative.dev/v1", kind: "Revision" },
    metadata: { name: "hello-00001", namespace: "default", uid: "r", creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { containers: [{ image: "hello:1" }] },
    status: maxScale === undefined ? {} : { scaling: { maxScale } },
  };
  await api.objects.put(api.objects.key(target.kind, "default", "hello-00001"), revision, 0);
  return api;
}

const create = (api: TestApi, name: string, revision = "hello-00001"): Promise<unknown> =>
  createObject(api, at("pods", "default"), pod(name, { labels: { [label.revision]: revision } }), admin);

const refused = { code: "Forbidden", message: expect.stringContaining("its max-scale is 2") };

test("whoever makes pods of a revision at the same moment, there are no more than its max-scale", async () => {
  const api = await withRevision(2);
  const made = await Promise.allSettled(["a", "b", "c", "d"].map((name) => create(api, name)));
  expect(made.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
  expect(made[3]).toMatchObject({ reason: refused });
  await expect(create(api, "e")).rejects.toMatchObject(refused);
  // Others are others.
  await create(api, "f", "other-00001");
  await deleteObject(api, at("pods", "default", "a"), admin);
  await create(api, "g");
  await expect(create(api, "h")).rejects.toMatchObject(refused);
});

test("a pod of a node that is silent, or gone, takes nobody's place, whatever it says of itself", async () => {
  const api = await withRevision(1);
  const { kind } = at("nodes", undefined, "n");
  const key = api.objects.key(kind, undefined, "n");
  const node = (status: string): JsonObject => ({
    ...{ apiVersion: "v1", kind: "Node", status: { conditions: [{ type: "Ready", status }] } },
    metadata: { name: "n", uid: "n", creationTimestamp: "2026-01-01T00:00:00Z" },
  });
  await api.objects.put(key, node("True"), 0);
  const labels = { [label.revision]: "hello-00001" };
  const on = (name: string, nodeName: string): Promise<unknown> =>
    createObject(api, at("pods", "default"), pod(name, { labels }, { nodeName }), admin);
  await on("a", "n");
  await expect(create(api, "b")).rejects.toMatchObject({ code: "Forbidden" });
  const stored = api.objects.get(kind, undefined, "n");
  await api.objects.put(key, node("Unknown"), Number(stored?.metadata.resourceVersion));
  await on("gone", "another");
  await create(api, "b");
  await expect(create(api, "c")).rejects.toMatchObject({ message: expect.stringContaining("its max-scale is 1") });
});

test("a pod that could not be stored takes nobody's place", async () => {
  const api = await withRevision(2);
  await create(api, "a");
  await expect(create(api, "a")).rejects.toMatchObject({ code: "AlreadyExists" });
  await create(api, "b");
});

test("without a max-scale, or before it is known, there are as many as anybody makes", async () => {
  for (const maxScale of [0, undefined]) {
    const api = await withRevision(maxScale);
    for (const name of ["a", "b", "c"]) await create(api, name);
  }
});
