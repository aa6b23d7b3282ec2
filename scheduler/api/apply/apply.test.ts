import { dig, type Json, type JsonObject, textAt, textsAt } from "@shallop/sdk/api";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { admin, at, openApi, refusal, service, type TestApi } from "../api.fixture.ts";
import { getObject } from "../read.ts";
import { patchObject } from "../patch.ts";
import { createObject, updateObject } from "../write.ts";
import { applyObject } from "./apply.ts";
import { fieldsOf, fromFieldsV1, mergedWith, shownPath, toFieldsV1, valueAt, withoutPath } from "./field-set.ts";

let api: TestApi;
beforeEach(async () => {
  api = await openApi();
});

const hello = at("services", "default", "hello");
const nodeA = at("nodes", undefined, "a");

/** A service whose labels are these; what else it is always the same. */
const labelled = (labels: JsonObject, image = "hello:1"): JsonObject => ({
  ...service("hello", { spec: { containers: [{ image }] } }),
  metadata: { name: "hello", labels },
});

const apply = async (manager: string, body: Json, { force = false, target = hello } = {}) =>
  (await applyObject(api, target, { manager, body, force }, admin)).object;

const labels = (): Readonly<Record<string, string>> => textsAt(getObject(api, hello, admin.user), "metadata", "labels");

/** `MANAGER OPERATION` → what it owns, as people read it. */
function owned(target = hello): Record<string, readonly string[]> {
  const entries = dig(getObject(api, target, admin.user), "metadata", "managedFields") as readonly JsonObject[];
  return Object.fromEntries(
    entries.map((entry) => [
      ["manager", "operation", "subresource"].flatMap((field) => textAt(entry, field) ?? []).join(" "),
      [...fromFieldsV1(entry["fieldsV1"])].map(shownPath).sort(),
    ]),
  );
}

describe("server-side apply, as a real API server answers it", () => {
  test("creates, and says who owns what; lists of custom resources are one value", async () => {
    const { object, created } = await applyObject(
      api,
      hello,
      { manager: "kubectl", body: labelled({ a: "1" }), force: false },
      admin,
    );
    expect(created).toBe(true);
    expect(object.metadata["managedFields"]).toEqual([
      {
        manager: "kubectl",
        operation: "Apply",
        apiVersion: "serving.knative.dev/v1",
        time: "2026-01-01T00:00:00Z",
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:metadata": { "f:labels": { "f:a": {} } },
          "f:spec": { "f:template": { "f:spec": { "f:containers": {} } } },
        },
      },
    ]);
    expect(object.metadata["generation"]).toBe(1);
  });

  test("the same intent twice changes nothing, later too", async () => {
    const first = await apply("kubectl", labelled({ a: "1" }));
    await api.clock.advance(60_000);
    expect(await apply("kubectl", labelled({ a: "1" }))).toEqual(first);
  });

  test("another manager, another value: a conflict in apiserver's words; by force the field changes hands", async () => {
    await apply("kubectl", labelled({ a: "1" }));
    const refused = await refusal(() => apply("b", labelled({ a: "2" })));
    expect(refused).toEqual({
      code: "Conflict",
      message: 'Apply failed with 1 conflict: conflict with "kubectl": .metadata.labels.a',
      fields: [".metadata.labels.a"],
    });
    expect(labels()).toEqual({ a: "1" });
    await apply("b", labelled({ a: "2" }), { force: true });
    expect(labels()).toEqual({ a: "2" });
    expect(owned()["kubectl Apply"]).not.toContain(".metadata.labels.a");
    expect(owned()["b Apply"]).toContain(".metadata.labels.a");
  });

  test("several conflicts are told apart by whom they are with", async () => {
    await apply("one", labelled({ a: "1", b: "1" }));
    await apply("two", { ...labelled({ c: "1" }), spec: undefined });
    const { message } = await refusal(() => apply("b", labelled({ a: "2", b: "2", c: "2" })));
    expect(message).toBe(
      'Apply failed with 3 conflicts: conflicts with "one":\n- .metadata.labels.a\n- .metadata.labels.b\n' +
        'conflicts with "two":\n- .metadata.labels.c',
    );
  });

  test("what its author says no more goes, unless others said it too", async () => {
    await apply("a", labelled({ x: "1", y: "1" }));
    await apply("b", labelled({ y: "1" }));
    await apply("a", labelled({ x: "1" }));
    expect(labels()).toEqual({ x: "1", y: "1" });
    await apply("b", labelled({}));
    expect(labels()).toEqual({ x: "1" });
  });

  test("who writes without applying owns what he changed, and nobody else does", async () => {
    await apply("kubectl", labelled({ a: "1", b: "1" }));
    const body = { metadata: { labels: { a: "9", c: "1" } } };
    await patchObject(api, hello, { kind: "merge", body }, { ...admin, fieldManager: "kubectl-label" });
    expect(owned()["kubectl-label Update"]).toEqual([".metadata.labels.a", ".metadata.labels.c"]);
    expect(owned()["kubectl Apply"]).not.toContain(".metadata.labels.a");
    const { message } = await refusal(() => apply("kubectl", labelled({ a: "1", b: "1" })));
    expect(message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-label" using serving.knative.dev/v1 at ' +
        "2026-01-01T00:00:00Z: .metadata.labels.a",
    );
    // What the other added stays when the first applies again.
    await apply("kubectl", labelled({ a: "9", b: "1" }));
    expect(labels()).toEqual({ a: "9", b: "1", c: "1" });
  });

  test("an update that takes a field away leaves it to nobody", async () => {
    await apply("kubectl", labelled({ a: "1", b: "1" }));
    const { metadata, ...rest } = getObject(api, hello, admin.user);
    const { a: _a, ...left } = textsAt({ metadata }, "metadata", "labels");
    await updateObject(api, hello, { ...rest, metadata: { ...metadata, labels: left } }, admin);
    expect(owned()["kubectl Apply"]).not.toContain(".metadata.labels.a");
    await apply("kubectl", labelled({ b: "1" }));
    expect(labels()).toEqual({ b: "1" });
  });

  test("a new object has no owners before it is applied, and the body of an apply cannot name any", async () => {
    const forged = [{ manager: "x", operation: "Apply", fieldsV1: { "f:spec": {} } }];
    const plain = { ...service("plain"), metadata: { name: "plain", managedFields: forged } };
    await createObject(api, at("services", "default"), plain, admin);
    expect(getObject(api, at("services", "default", "plain"), admin.user).metadata["managedFields"]).toBeUndefined();
    const body = { ...labelled({}), metadata: { name: "hello", managedFields: forged } };
    expect((await refusal(() => apply("kubectl", body))).message).toBe("metadata.managedFields must be nil");
  });

  test("a patch may write owners, forget them, and not break them", async () => {
    await apply("kubectl", labelled({ a: "1" }));
    const write = (value: Json) =>
      patchObject(
        api,
        hello,
        { kind: "json", body: [{ op: "replace", path: "/metadata/managedFields", value }] },
        admin,
      );
    const label = { "f:metadata": { "f:labels": { "f:a": {} } } };
    await write([{ manager: "helm", operation: "Apply", fieldsV1: label }]);
    expect(owned()).toEqual({ "helm Apply": [".metadata.labels.a"] });
    await write([
      { manager: "odd", operation: "Apply", fieldsV1: { "k:{": {}, "x:y": {}, "v:1": {}, "f:": {}, ...label } },
    ]);
    expect(owned()["odd Apply"]).toContain(".metadata.labels.a");
    expect((await refusal(() => apply("kubectl", labelled({ a: "2" })))).message).toContain('conflict with "odd"');
    await write([{}]);
    expect(getObject(api, hello, admin.user).metadata["managedFields"]).toBeUndefined();
  });

  test("what was there before the first apply is somebody's; what kubectl applied by itself is kubectl's", async () => {
    await createObject(api, at("services", "default"), labelled({ a: "1" }), admin);
    const { message } = await refusal(() => apply("kubectl", labelled({ a: "2" })));
    expect(message).toContain('conflict with "before-first-apply" using serving.knative.dev/v1');
    const annotation = "kubectl.kubernetes.io/last-applied-configuration";
    const annotations = { [annotation]: JSON.stringify(labelled({ a: "1" })) };
    await patchObject(api, hello, { kind: "merge", body: { metadata: { annotations } } }, admin);
    expect((await refusal(() => apply("helm", labelled({ a: "2" })))).code).toBe("Conflict");
    await apply("kubectl", labelled({ a: "2" }));
    expect(labels()).toEqual({ a: "2" });
    const text = textsAt(getObject(api, hello, admin.user), "metadata", "annotations")[annotation] ?? "";
    expect(dig(JSON.parse(text) as Json, "metadata", "labels", "a")).toBe("2");
  });

  test("a status has owners of its own, and is no part of what the main resource applies", async () => {
    await apply("kubectl", labelled({ a: "1" }));
    const status = { ...hello, subresource: "status" as const };
    const current = getObject(api, hello, admin.user);
    await updateObject(api, status, { ...current, status: { url: "http://x" } }, { ...admin, fieldManager: "ctl" });
    expect(owned()["ctl Update status"]).toEqual([".status.url"]);
    await apply("kubectl", { ...labelled({ a: "1" }), status: { url: "http://forged" } });
    expect(dig(getObject(api, hello, admin.user), "status", "url")).toBe("http://x");
    expect(owned()["kubectl Apply"]?.some((path) => path.startsWith(".status"))).toBe(false);
  });

  const many = Object.fromEntries(Array.from({ length: 5_001 }, (_none, index) => [`a${String(index)}`, "1"]));
  const refusals: { name: string; manager?: string; change: JsonObject; code: string; message: RegExp }[] = [
    {
      name: "no manager",
      manager: "",
      change: {},
      code: "Invalid",
      message: /fieldManager: Required value: is required for apply patch/,
    },
    { name: "another name", change: { metadata: { name: "other" } }, code: "BadRequest", message: /does not match/ },
    {
      name: "a version that was",
      change: { metadata: { name: "hello", resourceVersion: "1" } },
      code: "Conflict",
      message: /has been modified/,
    },
    {
      name: "a spec that is none",
      change: { spec: { template: { spec: { containers: [] } } } },
      code: "Invalid",
      message: /containers/,
    },
    {
      name: "more than anybody has to say",
      change: { metadata: { name: "hello", annotations: many } },
      code: "RequestEntityTooLarge",
      message: /5000/,
    },
  ];
  test.each(refusals)("$name is refused", async ({ manager = "m", change, code, message }) => {
    await apply("kubectl", labelled({ a: "1" }));
    const refused = await refusal(() => apply(manager, { ...labelled({ a: "1" }), ...change }, { force: true }));
    expect(refused.code).toBe(code);
    expect(refused.message).toMatch(message);
  });

  test("a dry run changes nothing", async () => {
    const run = { ...admin, dryRun: true };
    const { object } = await applyObject(api, hello, { manager: "m", body: labelled({ a: "1" }), force: false }, run);
    expect(textsAt(object, "metadata", "labels")).toEqual({ a: "1" });
    expect((await refusal(() => getObject(api, hello, admin.user))).code).toBe("NotFound");
  });

  test("items of a list with keys belong to who named them", async () => {
    const target = at("pods", "default", "p");
    const container = { name: "c", image: "i:1", ports: [{ containerPort: 80 }] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [container] } };
    await apply("a", pod, { target });
    expect(owned(target)["a Apply"]).toEqual([
      '.spec.containers[name="c"]',
      '.spec.containers[name="c"].image',
      '.spec.containers[name="c"].name',
      '.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"]',
      '.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"].containerPort',
    ]);
  });

  test("items of a set belong to who named them", async () => {
    const node = (finalizers: readonly string[]): JsonObject => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "a", finalizers },
    });
    const finalizers = (): Json | undefined => dig(getObject(api, nodeA, admin.user), "metadata", "finalizers");
    await apply("a", node(["x.y/z", "x.y/both"]), { target: nodeA });
    await apply("b", node(["b.c/d", "x.y/both"]), { target: nodeA });
    expect(finalizers()).toEqual(["x.y/z", "x.y/both", "b.c/d"]);
    await apply("a", node([]), { target: nodeA });
    expect(finalizers()).toEqual(["x.y/both", "b.c/d"]);
  });
});

describe("field sets", () => {
  const text = fc.constantFrom("a", "b", "c");
  const container = fc.record(
    {
      name: text,
      image: text,
      env: fc.uniqueArray(fc.record({ name: text, value: text }), { selector: ({ name }) => name, maxLength: 3 }),
      args: fc.array(text, { maxLength: 2 }),
      resources: fc.record({ limits: fc.dictionary(text, fc.constant("1"), { maxKeys: 2 }) }, { requiredKeys: [] }),
    },
    { requiredKeys: ["name"] },
  );
  const pod = fc.record(
    {
      metadata: fc.record(
        { labels: fc.dictionary(text, text, { maxKeys: 3 }), finalizers: fc.uniqueArray(text, { maxLength: 3 }) },
        { requiredKeys: [] },
      ),
      spec: fc.record({ containers: fc.uniqueArray(container, { selector: ({ name }) => name, maxLength: 3 }) }),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<JsonObject>;

  test("written and read again they are the same; each path has a value", () => {
    fc.assert(
      fc.property(pod, (object) => {
        const fields = fieldsOf("Pod", object);
        expect(fromFieldsV1(toFieldsV1(fields))).toEqual(fields);
        for (const path of fields) expect(valueAt(object, path), path).toBeDefined();
      }),
    );
  });

  test("merged, an object has every field of both, with the values of the second", () => {
    fc.assert(
      fc.property(pod, pod, (live, intent) => {
        const merged = mergedWith("Pod", live, intent);
        const fields = fieldsOf("Pod", merged);
        const mine = fieldsOf("Pod", intent);
        for (const path of mine) expect(valueAt(merged, path)).toBeDefined();
        expect(mergedWith("Pod", merged, intent)).toEqual(merged);
        for (const path of fields) if (!mine.has(path)) expect(valueAt(live, path)).toBeDefined();
      }),
    );
  });

  test("without all its fields an object is empty", () => {
    fc.assert(
      fc.property(pod, (object) => {
        const left = [...fieldsOf("Pod", object)].reduce((rest, path) => withoutPath(rest, path), object);
        expect(fieldsOf("Pod", left).size).toBe(0);
      }),
    );
  });
});
