import { dig, type JsonObject, listAt } from "@shallop/sdk/api";
import { describe, expect, test } from "vitest";
import { admin, at, json, openApi, pod, refusal, service, type TestApi } from "./api.fixture.ts";
import { deleteCollection, deleteObject } from "./delete.ts";
import { patchObject } from "./patch.ts";
import { getObject, listObjects } from "./read.ts";
import { adminUser, nodeUser } from "./user.ts";
import { createObject, updateObject } from "./write.ts";

const web = at("pods", "default", "web");
const pods = at("pods", "default");
const hello = at("services", "default", "hello");
const services = at("services", "default");

const create = (api: TestApi, object: JsonObject) => createObject(api, pods, object, admin);
const merge = (body: JsonObject) => ({ kind: "merge", body }) as const;

describe("create", () => {
  test("sets what the server sets, and nothing of it can be given", async () => {
    const api = await openApi();
    const given = {
      uid: "mine",
      generation: 9,
      creationTimestamp: "2000-01-01T00:00:00Z",
      deletionTimestamp: "2000-01-01T00:00:00Z",
    };
    const object = await create(api, { ...pod("web", given), status: { phase: "Running" } });
    expect(object.metadata).toMatchObject({
      namespace: "default",
      generation: 1,
      creationTimestamp: "2026-01-01T00:00:00Z",
    });
    expect(object.metadata.uid).not.toBe("mine");
    expect(object.metadata).not.toHaveProperty("deletionTimestamp");
    expect(object["status"]).toEqual({ phase: "Pending", qosClass: "BestEffort" });
    expect(getObject(api, web, adminUser)).toEqual(object);
  });

  test("refuses a name that is taken, a namespace that is missing or going", async () => {
    const api = await openApi();
    await create(api, pod("web"));
    expect(await refusal(() => create(api, pod("web")))).toMatchObject({
      code: "AlreadyExists",
      message: 'pods "web" already exists',
    });
    expect(await refusal(() => createObject(api, at("pods", "nope"), pod("web"), admin))).toMatchObject({
      code: "NotFound",
      message: 'namespaces "nope" not found',
    });
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } };
    await createObject(api, at("namespaces"), namespace, admin);
    await deleteObject(api, at("namespaces", undefined, "team"), admin);
    expect(await refusal(() => createObject(api, at("pods", "team"), pod("web"), admin))).toMatchObject({
      code: "Forbidden",
      message: expect.stringContaining("because it is being terminated") as string,
    });
  });

  test("makes names from generateName, and tries again when one is taken", async () => {
    const api = await openApi();
    const names = new Set<string>();
    for (let index = 0; index < 20; index++) {
      const { metadata } = await create(api, { ...pod(""), metadata: { generateName: "web-" } });
      names.add(metadata.name);
    }
    expect(names.size).toBe(20);
    for (const name of names) expect(name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  test("reports every bad field at once", async () => {
    const api = await openApi();
    const bad = pod("Web", { labels: { "a b": "c" } }, { restartPolicy: "Sometimes", containers: [{ name: "C" }] });
    const { code, fields, message } = await refusal(() => create(api, bad));
    expect(code).toBe("Invalid");
    expect(fields).toEqual([
      "metadata.name",
      "metadata.labels",
      "spec.containers[0].name",
      "spec.containers[0].image",
      "spec.restartPolicy",
    ]);
    expect(message).toMatch(/^Pod "Web" is invalid: \[metadata.name: Invalid value: "Web": a lowercase RFC 1123/);
  });

  test("does about unknown fields what was asked", async () => {
    const api = await openApi();
    const object = service("hello", {}, { templat: {} });
    const strict = { ...admin, fieldValidation: "Strict" } as const;
    expect(await refusal(() => createObject(api, services, object, strict))).toMatchObject({
      code: "BadRequest",
      message:
        'Service in version "serving.knative.dev/v1" cannot be handled as a Service: strict decoding error: unknown field "spec.templat"',
    });
    const warnings: string[] = [];
    const made = await createObject(api, services, object, { ...admin, warn: (text) => void warnings.push(text) });
    expect(warnings).toEqual(['unknown field "spec.templat"']);
    expect(dig(made, "spec", "templat")).toBeUndefined();
  });

  test("writes nothing in a dry run", async () => {
    const api = await openApi();
    const head = api.store.head();
    const object = await createObject(api, pods, pod("web"), { ...admin, dryRun: true });
    expect(object.metadata.name).toBe("web");
    expect(api.store.head()).toBe(head);
  });

  test.each([
    { name: "a version", object: pod("web", { resourceVersion: "7" }), code: "InternalError" },
    { name: "another kind", object: { ...pod("web"), kind: "Node" }, code: "BadRequest" },
    { name: "another namespace", object: pod("web", { namespace: "other" }), code: "BadRequest" },
    { name: "no name", object: { ...pod(""), metadata: {} }, code: "Invalid" },
  ])("refuses $name", async ({ object, code }) => {
    const api = await openApi();
    expect((await refusal(() => create(api, object))).code).toBe(code);
  });

  test("a pod that its node records keeps its status, a pod of anybody else does not", async () => {
    const api = await openApi();
    const running = { ...pod("web", {}, { nodeName: "n1" }), status: { phase: "Running", podIP: "10.0.0.1" } };
    const object = await createObject(api, pods, running, { user: nodeUser("n1") });
    expect(object["status"]).toMatchObject({ phase: "Running", podIP: "10.0.0.1" });
  });
});

describe("update", () => {
  test("takes the current version only, and leaves status and what the server sets", async () => {
    const api = await openApi();
    const first = await create(api, pod("web"));
    const labelled = {
      ...pod("web", { labels: { a: "b" }, resourceVersion: first.metadata.resourceVersion, uid: first.metadata.uid }),
      status: { phase: "Failed" },
    };
    const second = await updateObject(api, web, labelled, admin);
    expect(second.metadata).toMatchObject({ uid: first.metadata.uid, generation: 1, labels: { a: "b" } });
    expect(dig(second, "status", "phase")).toBe("Pending");
    expect(await refusal(() => updateObject(api, web, labelled, admin))).toMatchObject({
      code: "Conflict",
      message:
        'Operation cannot be fulfilled on pods "web": the object has been modified; please apply your changes to the latest version and try again',
    });
    const reborn = pod("web", { uid: "another" });
    expect((await refusal(() => updateObject(api, web, reborn, admin))).message).toContain("UID in precondition");
  });

  test("without a version replaces a built-in kind, and is refused for a custom one", async () => {
    const api = await openApi();
    await create(api, pod("web"));
    await createObject(api, services, service("hello"), admin);
    expect((await updateObject(api, web, pod("web", { labels: { a: "b" } }), admin)).metadata["labels"]).toEqual({
      a: "b",
    });
    expect(await refusal(() => updateObject(api, hello, service("hello"), admin))).toMatchObject({
      code: "Invalid",
      fields: ["metadata.resourceVersion"],
    });
  });

  test("that changes nothing writes nothing", async () => {
    const api = await openApi();
    const first = await create(api, pod("web"));
    const head = api.store.head();
    expect(await updateObject(api, web, json(first), admin)).toEqual(first);
    expect(api.store.head()).toBe(head);
  });

  test("raises generation for spec only", async () => {
    const api = await openApi();
    await createObject(api, services, service("hello"), admin);
    const patch = (body: JsonObject) => patchObject(api, hello, merge(body), admin);
    expect((await patch({ metadata: { labels: { a: "b" } } })).metadata["generation"]).toBe(1);
    expect((await patch({ spec: { template: { spec: { timeoutSeconds: 5 } } } })).metadata["generation"]).toBe(2);
    const status = { ...hello, subresource: "status" } as const;
    expect((await patchObject(api, status, merge({ status: { url: "x" } }), admin)).metadata["generation"]).toBe(2);
  });
});

describe("status", () => {
  test("of a custom resource is all that its subresource writes", async () => {
    const api = await openApi();
    const first = await createObject(api, services, { ...service("hello"), status: { url: "mine" } }, admin);
    expect(first["status"]).toBeUndefined();
    const written = { ...(json(first) as JsonObject), spec: { template: {} }, status: { url: "x" } };
    const labelled = { ...written, metadata: { ...first.metadata, labels: { a: "b" } } };
    const second = await updateObject(api, { ...hello, subresource: "status" }, labelled, admin);
    expect(second["status"]).toEqual({ url: "x" });
    expect(second["spec"]).toEqual(first["spec"]);
    expect(second.metadata["labels"]).toBeUndefined();
  });

  test("of a built-in kind may come with labels and annotations", async () => {
    const api = await openApi();
    await create(api, pod("web"));
    const change = merge({
      metadata: { annotations: { a: "b" } },
      status: { phase: "Running" },
      spec: { hostNetwork: true },
    });
    const object = await patchObject(api, { ...web, subresource: "status" }, change, admin);
    expect(object.metadata["annotations"]).toEqual({ a: "b" });
    expect(dig(object, "status", "phase")).toBe("Running");
    expect(dig(object, "spec", "hostNetwork")).toBeUndefined();
  });
});

describe("resize", () => {
  const resources = (cpu: string) => ({ limits: { cpu, memory: "64Mi" }, requests: { cpu: "10m", memory: "64Mi" } });
  const container = (more: JsonObject): JsonObject => ({ containers: [{ name: "c", image: "i", ...more }] });
  const resize = { ...web, subresource: "resize" } as const;
  const patch = (api: Awaited<ReturnType<typeof openApi>>, given: JsonObject) =>
    patchObject(api, resize, merge({ spec: container({ resources: given }) }), admin);

  test("writes resources of containers, raises the generation, and nothing else", async () => {
    const api = await openApi();
    await create(api, pod("web", {}, container({ resources: resources("1") })));
    const object = await patch(api, resources("2"));
    expect(listAt(object, "spec", "containers")).toMatchObject([{ resources: { limits: { cpu: "2" } } }]);
    expect(object.metadata["generation"]).toBe(2);
  });

  test("keeps the pod's class, and limits", async () => {
    const api = await openApi();
    await create(api, pod("web", {}, container({ resources: resources("1") })));
    const { limits } = resources("1");
    await expect(patch(api, { limits, requests: limits })).rejects.toThrow(/QOS Class may not change/);
    await expect(patch(api, { ...resources("1"), limits: { memory: "64Mi" } })).rejects.toThrow(/cannot be removed/);
  });
});

describe("patch", () => {
  test("is applied again when another write came between", async () => {
    const api = await openApi();
    await create(api, pod("web"));
    const names = Array.from({ length: 4 }, (_, index) => `l${index}`);
    await Promise.all(
      names.map((name) => patchObject(api, web, merge({ metadata: { labels: { [name]: "1" } } }), admin)),
    );
    expect(Object.keys(getObject(api, web, adminUser).metadata["labels"] ?? {}).sort()).toEqual(names);
  });

  test("with a version is a precondition", async () => {
    const api = await openApi();
    const { metadata } = await create(api, pod("web"));
    const body = { metadata: { resourceVersion: metadata.resourceVersion, labels: { a: "b" } } };
    await patchObject(api, web, merge(body), admin);
    expect(
      (
        await refusal(() =>
          patchObject(api, web, merge({ ...body, metadata: { ...body.metadata, labels: { a: "c" } } }), admin),
        )
      ).code,
    ).toBe("Conflict");
  });

  test("JSON patch: operations in order, all or none", async () => {
    const api = await openApi();
    await create(api, pod("web", { labels: { a: "1" } }));
    const patch = (...body: JsonObject[]) => patchObject(api, web, { kind: "json", body }, admin);
    const object = await patch(
      { op: "test", path: "/metadata/labels/a", value: "1" },
      { op: "move", from: "/metadata/labels/a", path: "/metadata/labels/b" },
      { op: "add", path: "/metadata/labels/c~1d", value: "2" },
    );
    expect(object.metadata["labels"]).toEqual({ b: "1", "c/d": "2" });
    const failing = await refusal(() =>
      patch({ op: "remove", path: "/metadata/labels/b" }, { op: "test", path: "/metadata/name", value: "x" }),
    );
    expect(failing).toMatchObject({
      code: "Invalid",
      message: "the server rejected our request due to an error in our request",
    });
    expect(getObject(api, web, adminUser)).toEqual(object);
  });

  test.each([
    { name: "no operation", body: [{ op: "brew", path: "/a" }] },
    { name: "a path into prototypes", body: [{ op: "add", path: "/__proto__/a", value: 1 }] },
    { name: "no list", body: { op: "add" } },
  ])("JSON patch: $name is refused", async ({ body }) => {
    const api = await openApi();
    await create(api, pod("web"));
    expect((await refusal(() => patchObject(api, web, { kind: "json", body }, admin))).code).toBe("BadRequest");
    expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
  });

  test("strategic merge is for built-in kinds", async () => {
    const api = await openApi();
    await create(api, pod("web"));
    await createObject(api, services, service("hello"), admin);
    const body = { spec: { containers: [{ name: "c", image: "img:2" }] } };
    const object = await patchObject(api, web, { kind: "strategic", body }, admin);
    expect(listAt(object, "spec", "containers")).toMatchObject([
      { name: "c", image: "img:2", imagePullPolicy: "IfNotPresent" },
    ]);
    expect(await refusal(() => patchObject(api, hello, { kind: "strategic", body: {} }, admin))).toMatchObject({
      code: "UnsupportedMediaType",
      message: expect.stringContaining("application/json-patch+json, application/merge-patch+json") as string,
    });
  });
});

describe("delete", () => {
  test("a pod on a node waits for it; a second deletion only shortens the wait", async () => {
    const api = await openApi();
    await create(api, pod("web", {}, { nodeName: "n1" }));
    const first = await deleteObject(api, web, { ...admin, gracePeriodSeconds: 10 });
    expect(first).toMatchObject({
      gone: false,
      object: {
        metadata: { deletionTimestamp: "2026-01-01T00:00:10Z", deletionGracePeriodSeconds: 10, generation: 2 },
      },
    });
    expect((await deleteObject(api, web, { ...admin, gracePeriodSeconds: 20 })).object).toEqual(first.object);
    const shorter = await deleteObject(api, web, { ...admin, gracePeriodSeconds: 1 });
    expect(shorter.object.metadata).toMatchObject({ deletionGracePeriodSeconds: 1, generation: 2 });
    expect((await deleteObject(api, web, { ...admin, gracePeriodSeconds: 0 })).gone).toBe(true);
    expect((await refusal(() => getObject(api, web, adminUser))).code).toBe("NotFound");
  });

  test.each([
    { name: "without a node", object: pod("web") },
    { name: "that has ended", object: pod("web", {}, { nodeName: "n1" }), phase: "Succeeded" },
  ])("a pod $name goes at once", async ({ object, phase }) => {
    const api = await openApi();
    await create(api, object);
    if (phase !== undefined)
      await patchObject(api, { ...web, subresource: "status" }, merge({ status: { phase } }), admin);
    expect((await deleteObject(api, web, { ...admin, gracePeriodSeconds: 30 })).gone).toBe(true);
  });

  test("finalizers hold an object; the last one taken away ends it; none is added meanwhile", async () => {
    const api = await openApi();
    await createObject(
      api,
      services,
      { ...service("hello"), metadata: { name: "hello", finalizers: ["a.b/c"] } },
      admin,
    );
    const { object, gone } = await deleteObject(api, hello, admin);
    expect(gone).toBe(false);
    expect(object.metadata).toMatchObject({ deletionGracePeriodSeconds: 0, generation: 2 });
    const add = merge({ metadata: { finalizers: ["a.b/c", "d.e/f"] } });
    expect((await refusal(() => patchObject(api, hello, add, admin))).message).toContain(
      "no new finalizers can be added",
    );
    await patchObject(api, hello, merge({ metadata: { finalizers: null } }), admin);
    expect((await refusal(() => getObject(api, hello, adminUser))).code).toBe("NotFound");
  });

  test.each([
    { policy: "Foreground", finalizers: ["foregroundDeletion"] },
    { policy: "Orphan", finalizers: ["orphan"] },
  ] as const)("$policy leaves the finalizer for the garbage collector", async ({ policy, finalizers }) => {
    const api = await openApi();
    await createObject(api, services, service("hello"), admin);
    const { object } = await deleteObject(api, hello, { ...admin, propagationPolicy: policy });
    expect(object.metadata["finalizers"]).toEqual(finalizers);
  });

  test("preconditions hold", async () => {
    const api = await openApi();
    const { metadata } = await create(api, pod("web"));
    expect((await refusal(() => deleteObject(api, web, { ...admin, preconditions: { uid: "x" } }))).code).toBe(
      "Conflict",
    );
    expect(
      (await refusal(() => deleteObject(api, web, { ...admin, preconditions: { resourceVersion: "1" } }))).code,
    ).toBe("Conflict");
    expect((await deleteObject(api, web, { ...admin, preconditions: { uid: metadata.uid } })).gone).toBe(true);
  });

  test("a namespace goes in two steps, and the first ones stay", async () => {
    const api = await openApi();
    const team = at("namespaces", undefined, "team");
    await createObject(
      api,
      at("namespaces"),
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } },
      admin,
    );
    expect((await deleteObject(api, team, admin)).object).toMatchObject({ status: { phase: "Terminating" } });
    await updateObject(api, team, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" }, spec: {} }, admin);
    expect(getObject(api, team, adminUser)).toMatchObject({ spec: { finalizers: ["kubernetes"] } });
    const finalized = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" }, spec: { finalizers: [] } };
    await updateObject(api, { ...team, subresource: "finalize" }, finalized, admin);
    expect((await refusal(() => getObject(api, team, adminUser))).code).toBe("NotFound");
    expect((await refusal(() => deleteObject(api, at("namespaces", undefined, "default"), admin))).code).toBe(
      "Forbidden",
    );
  });

  test("a collection goes by its selector", async () => {
    const api = await openApi();
    await create(api, pod("a", { labels: { x: "1" } }));
    await create(api, pod("b", { labels: { x: "1" } }));
    await create(api, pod("c"));
    const { items } = await deleteCollection(api, pods, { labelSelector: "x=1" }, admin);
    expect(items.map((item) => item.metadata.name)).toEqual(["a", "b"]);
    expect(listObjects(api, pods, {}, adminUser).items.map((item) => item.metadata.name)).toEqual(["c"]);
  });
});

describe("list", () => {
  test("pages show the first page's revision", async () => {
    const api = await openApi();
    for (const name of ["a", "b", "c", "d", "e"]) await create(api, pod(name));
    const first = listObjects(api, pods, { limit: 2 }, adminUser);
    expect(first).toMatchObject({ remainingItemCount: 3 });
    await deleteObject(api, at("pods", "default", "d"), admin);
    await create(api, pod("bb"));
    const second = listObjects(api, pods, { limit: 2, continue: first.continue ?? "" }, adminUser);
    const third = listObjects(api, pods, { limit: 2, continue: second.continue ?? "" }, adminUser);
    expect([first, second, third].flatMap(({ items }) => items.map((item) => item.metadata.name))).toEqual([
      "a",
      "b",
      "c",
      "d",
      "e",
    ]);
    expect(second.resourceVersion).toBe(first.resourceVersion);
    expect(third.continue).toBeUndefined();
  });

  test("a page that is forgotten can be gone on from, but not consistently", async () => {
    const api = await openApi();
    for (const name of ["a", "b", "c"]) await create(api, pod(name));
    const first = listObjects(api, pods, { limit: 1 }, adminUser);
    await create(api, pod("d"));
    await api.store.compact(api.store.head());
    let token = "";
    const gone = await refusal(() => {
      try {
        listObjects(api, pods, { limit: 1, continue: first.continue ?? "" }, adminUser);
      } catch (error) {
        if (error instanceof Error && "continue" in error) token = String(error.continue);
        throw error;
      }
    });
    expect(gone.code).toBe("Expired");
    const rest = listObjects(api, pods, { continue: token }, adminUser);
    expect(rest.items.map((item) => item.metadata.name)).toEqual(["b", "c", "d"]);
  });

  test("a selector is applied before the limit, and hides how many remain", async () => {
    const api = await openApi();
    for (const [index, name] of ["a", "b", "c", "d"].entries())
      await create(api, pod(name, { labels: { odd: String(index % 2) } }));
    const first = listObjects(api, pods, { limit: 1, labelSelector: "odd=1" }, adminUser);
    expect(first.items.map((item) => item.metadata.name)).toEqual(["b"]);
    expect(first.remainingItemCount).toBeUndefined();
    const second = listObjects(
      api,
      pods,
      { limit: 5, labelSelector: "odd=1", continue: first.continue ?? "" },
      adminUser,
    );
    expect(second.items.map((item) => item.metadata.name)).toEqual(["d"]);
  });

  test("versions: exact, not older, from another life", async () => {
    const api = await openApi();
    const { metadata } = await create(api, pod("a"));
    await create(api, pod("b"));
    const names = (options: JsonObject) => listObjects(api, pods, options, adminUser).items.length;
    const resourceVersion = metadata.resourceVersion;
    expect(names({ resourceVersion, resourceVersionMatch: "Exact" })).toBe(1);
    expect(names({ resourceVersion, resourceVersionMatch: "NotOlderThan" })).toBe(2);
    expect(names({ resourceVersion: "0", limit: 1 })).toBe(2);
    expect(await refusal(() => names({ resourceVersion: "999" }))).toMatchObject({ code: "Timeout" });
    expect(await refusal(() => names({ resourceVersionMatch: "Exact" }))).toMatchObject({ code: "Invalid" });
    expect(await refusal(() => names({ resourceVersion: "01" }))).toMatchObject({ code: "BadRequest" });
    expect(await refusal(() => names({ continue: "x" }))).toMatchObject({ code: "BadRequest" });
  });
});
