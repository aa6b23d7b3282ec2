import { type JsonObject, type Subresource, type Verb } from "@shallop/sdk/api";
import { describe, expect, test } from "vitest";
import { admin, at, kindNamed, openApi, pod, refusal, service } from "./api.fixture.ts";
import { authorize, mayAccess } from "./authorize.ts";
import { deleteObject } from "./delete.ts";
import { patchObject } from "./patch.ts";
import { getObject } from "./read.ts";
import { adminUser, gatewayUser, nodeUser, type User } from "./user.ts";
import { createObject, updateObject } from "./write.ts";

const users: Readonly<Record<string, User>> = {
  admin: adminUser,
  gateway: gatewayUser,
  node: nodeUser("n1"),
  nobody: { name: "nobody", groups: [] },
};
const cases: { user: string; verb: Verb; plural: string; subresource?: Subresource; may: boolean }[] = [
  { user: "admin", verb: "deletecollection", plural: "pods", may: true },
  { user: "admin", verb: "get", plural: "pods", subresource: "log", may: true },
  { user: "gateway", verb: "watch", plural: "revisions", may: true },
  { user: "gateway", verb: "get", plural: "pods", subresource: "log", may: false },
  { user: "gateway", verb: "create", plural: "events", may: false },
  { user: "gateway", verb: "patch", plural: "revisions", subresource: "status", may: false },
  { user: "node", verb: "list", plural: "revisions", may: true },
  { user: "node", verb: "update", plural: "nodes", subresource: "status", may: true },
  { user: "node", verb: "delete", plural: "nodes", may: false },
  { user: "node", verb: "create", plural: "pods", may: true },
  { user: "node", verb: "create", plural: "events", may: true },
  { user: "node", verb: "update", plural: "revisions", subresource: "status", may: true },
  { user: "node", verb: "update", plural: "revisions", may: false },
  { user: "node", verb: "create", plural: "services", may: false },
  { user: "node", verb: "update", plural: "services", subresource: "status", may: false },
  { user: "node", verb: "get", plural: "pods", subresource: "log", may: false },
  { user: "nobody", verb: "get", plural: "pods", may: false },
];

test.each(cases)("$user $verb $plural/$subresource: $may", ({ user, verb, plural, subresource, may }) => {
  expect(mayAccess({ user: users[user]!, verb, kind: kindNamed(plural), subresource })).toBe(may);
});

test.each([
  ["gateway", "list", "type=kubernetes.io/tls", true],
  ["gateway", "watch", "type=kubernetes.io/basic-auth", true],
  ["gateway", "list", undefined, false],
  ["gateway", "list", "type=Opaque", false],
  ["gateway", "list", "type!=kubernetes.io/tls", false],
  ["gateway", "get", undefined, false],
  ["gateway", "update", "type=kubernetes.io/tls", false],
  ["node", "list", "type=kubernetes.io/tls", false],
  ["admin", "list", undefined, true],
] as const)("secrets: %s %s %s: %s", (user, verb, fieldSelector, may) => {
  expect(mayAccess({ user: users[user]!, verb, kind: kindNamed("secrets"), fieldSelector })).toBe(may);
});

test.each([
  ["node", "get", true, true],
  ["node", "get", false, false],
  ["node", "list", true, false],
  ["gateway", "get", true, false],
] as const)("a secret by name: %s %s, used by a pod of its own: %s → %s", (user, verb, used, may) => {
  const request = { user: users[user]!, verb, kind: kindNamed("secrets"), name: "s", isUsed: () => used };
  expect(mayAccess(request)).toBe(may);
});

test("a refusal says who may not do what, and where", async () => {
  const request = { user: gatewayUser, kind: kindNamed("services"), namespace: "team" };
  expect((await refusal(() => authorize({ ...request, verb: "delete", name: "hello" }))).message).toBe(
    'services.serving.knative.dev "hello" is forbidden: User "system:gateway" cannot delete resource "services" in API group "serving.knative.dev" in the namespace "team"',
  );
  expect(
    (await refusal(() => authorize({ user: gatewayUser, verb: "create", kind: kindNamed("nodes") }))).message,
  ).toBe(
    'nodes is forbidden: User "system:gateway" cannot create resource "nodes" in API group "" at the cluster scope',
  );
});

describe("a node", () => {
  const own = { user: nodeUser("n1") };
  const forbidden = async (call: () => unknown) => expect((await refusal(call)).code).toBe("Forbidden");

  test("sees the Secrets of its own pods, and makes no pod to see others", async () => {
    const api = await openApi();
    const secret = (name: string): JsonObject => ({ apiVersion: "v1", kind: "Secret", metadata: { name } });
    for (const name of ["used", "other"]) await createObject(api, at("secrets", "default"), secret(name), admin);
    const envFrom = [{ secretRef: { name: "used" } }];
    const using = (name: string): JsonObject =>
      pod(name, {}, { nodeName: "n1", containers: [{ name: "c", image: "i", envFrom }] });
    await createObject(api, at("pods", "default"), using("mine"), admin);
    expect(getObject(api, { ...at("secrets", "default"), name: "used" }, own.user).metadata.name).toBe("used");
    await forbidden(() => getObject(api, { ...at("secrets", "default"), name: "other" }, own.user));
    await forbidden(() => getObject(api, { ...at("secrets", "default"), name: "used" }, nodeUser("n2")));
    await forbidden(() => createObject(api, at("pods", "default"), using("made"), own));
  });
  const node = (name: string): JsonObject => ({ apiVersion: "v1", kind: "Node", metadata: { name } });

  test("writes its own Node, and keeps the status that it begins with", async () => {
    const api = await openApi();
    const made = await createObject(api, at("nodes"), { ...node("n1"), status: { capacity: { cpu: "2" } } }, own);
    expect(made["status"]).toEqual({ capacity: { cpu: "2" } });
    await forbidden(() => createObject(api, at("nodes"), node("n2"), own));
    await createObject(api, at("nodes"), node("n2"), admin);
    const status = { ...at("nodes", undefined, "n2"), subresource: "status" } as const;
    await forbidden(() => patchObject(api, status, { kind: "merge", body: { status: { phase: "Running" } } }, own));
  });

  test("writes the pods that are bound to it, and takes no other", async () => {
    const api = await openApi();
    const pods = at("pods", "default");
    await createObject(api, pods, pod("mine", {}, { nodeName: "n1" }), own);
    await forbidden(() => createObject(api, pods, pod("free"), own));
    await forbidden(() => createObject(api, pods, pod("theirs", {}, { nodeName: "n2" }), own));
    await createObject(api, pods, pod("free"), admin);
    await forbidden(() => updateObject(api, at("pods", "default", "free"), pod("free", {}, { nodeName: "n1" }), own));
    await forbidden(() => deleteObject(api, at("pods", "default", "free"), own));
    expect((await deleteObject(api, at("pods", "default", "mine"), { ...own, gracePeriodSeconds: 0 })).gone).toBe(true);
  });

  test("says of a revision only how it prepared it", async () => {
    const api = await openApi();
    const revision = {
      apiVersion: "serving.knative.dev/v1",
      kind: "Revision",
      metadata: { name: "a-1" },
      spec: { containers: [{ image: "a" }] },
    };
    await createObject(api, at("revisions", "default"), revision, admin);
    const status = { ...at("revisions", "default", "a-1"), subresource: "status" } as const;
    const write = (body: JsonObject, options: { user: User }) =>
      patchObject(api, status, { kind: "merge", body: { status: body } }, options);
    const entry = (name: string): JsonObject => ({ node: name, variant: "wasm", reason: "first" });
    await write({ homeNodes: ["n1", "n2"], preparedNodes: [entry("n2")] }, admin);
    await write({ preparedNodes: [entry("n2"), entry("n1")] }, own);
    await write({ failedNodes: [{ node: "n1", code: "X", message: "y" }] }, own);
    await forbidden(() => write({ preparedNodes: [entry("n1")] }, own));
    await forbidden(() => write({ homeNodes: ["n1"] }, own));
    await forbidden(() => write({ preparedNodes: [entry("n2"), entry("n1"), entry("n3")] }, own));
  });
});

describe("serving objects", () => {
  const annotations = (object: JsonObject) => (object["metadata"] as JsonObject)["annotations"];

  test("tell who made them and who changed their spec last", async () => {
    const api = await openApi();
    const other: User = { name: "ana", groups: ["system:masters"] };
    const hello = at("services", "default", "hello");
    const made = await createObject(api, at("services", "default"), service("hello"), admin);
    expect(annotations(made)).toEqual({
      "serving.knative.dev/creator": "system:admin",
      "serving.knative.dev/lastModifier": "system:admin",
    });
    const patch = (body: JsonObject) => patchObject(api, hello, { kind: "merge", body }, { user: other });
    const forged = {
      metadata: { annotations: { "serving.knative.dev/creator": "ana", "serving.knative.dev/lastModifier": "eve" } },
    };
    expect(annotations(await patch(forged))).toEqual(annotations(made));
    expect(annotations(await patch({ spec: { template: { spec: { timeoutSeconds: 1 } } } }))).toEqual({
      "serving.knative.dev/creator": "system:admin",
      "serving.knative.dev/lastModifier": "ana",
    });
  });

  test("that a controller owns keep what it copied", async () => {
    const api = await openApi();
    const owned: JsonObject = {
      apiVersion: "serving.knative.dev/v1",
      kind: "Route",
      metadata: {
        name: "hello",
        annotations: { "serving.knative.dev/creator": "ana", "serving.knative.dev/lastModifier": "ben" },
        ownerReferences: [
          { apiVersion: "serving.knative.dev/v1", kind: "Service", name: "hello", uid: "1", controller: true },
        ],
      },
      spec: { traffic: [{ revisionName: "hello-00001", percent: 100 }] },
    };
    expect(annotations(await createObject(api, at("routes", "default"), owned, admin))).toMatchObject({
      "serving.knative.dev/creator": "ana",
      "serving.knative.dev/lastModifier": "ben",
    });
  });
});
