import type { JsonObject } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { refusal } from "./api.fixture.ts";
import { mergePatch } from "./merge-patch.ts";
import { strategicMerge } from "./strategic-merge.ts";

const containers = (...list: JsonObject[]): JsonObject => ({ spec: { containers: list } });
const c = (name: string, more: JsonObject = {}): JsonObject => ({ name, ...more });

// After k8s.io/apimachinery/pkg/util/strategicpatch/patch_test.go.
const cases: { name: string; from: JsonObject; patch: JsonObject; to: JsonObject }[] = [
  { name: "adds a field", from: {}, patch: { spec: { nodeName: "n" } }, to: { spec: { nodeName: "n" } } },
  {
    name: "null deletes",
    from: { spec: { nodeName: "n", hostNetwork: true } },
    patch: { spec: { nodeName: null } },
    to: { spec: { hostNetwork: true } },
  },
  {
    name: "merges maps",
    from: { metadata: { labels: { a: "1", b: "2" } } },
    patch: { metadata: { labels: { b: null, c: "3" } } },
    to: { metadata: { labels: { a: "1", c: "3" } } },
  },
  {
    name: "merges a list by key",
    from: containers(c("a", { image: "1" }), c("b")),
    patch: containers(c("a", { image: "2" })),
    to: containers(c("a", { image: "2" }), c("b")),
  },
  { name: "appends what is new", from: containers(c("a")), patch: containers(c("b")), to: containers(c("a"), c("b")) },
  {
    name: "deletes by key",
    from: containers(c("a"), c("b")),
    patch: containers({ name: "a", $patch: "delete" }),
    to: containers(c("b")),
  },
  {
    name: "replaces a list",
    from: containers(c("a"), c("b")),
    patch: containers({ $patch: "replace" }, c("z")),
    to: containers(c("z")),
  },
  {
    name: "replaces an object",
    from: { spec: { nodeName: "n" } },
    patch: { spec: { $patch: "replace", hostNetwork: true } },
    to: { spec: { hostNetwork: true } },
  },
  {
    name: "empties an object",
    from: { spec: { nodeName: "n" } },
    patch: { spec: { $patch: "delete" } },
    to: { spec: {} },
  },
  {
    name: "replaces atomic lists",
    from: containers(c("a", { command: ["x"] })),
    patch: containers(c("a", { command: ["y"] })),
    to: containers(c("a", { command: ["y"] })),
  },
  {
    name: "joins primitive sets",
    from: { metadata: { finalizers: ["a"] } },
    patch: { metadata: { finalizers: ["b", "a"] } },
    to: { metadata: { finalizers: ["a", "b"] } },
  },
  {
    name: "deletes from primitive sets",
    from: { metadata: { finalizers: ["a", "b"] } },
    patch: { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } },
    to: { metadata: { finalizers: ["b"] } },
  },
  {
    name: "orders",
    from: containers(c("a"), c("b"), c("c")),
    patch: { spec: { "$setElementOrder/containers": [c("c"), c("a")], containers: [c("c", { image: "1" })] } },
    to: containers(c("b"), c("c", { image: "1" }), c("a")),
  },
  {
    name: "orders without a change",
    from: containers(c("a"), c("b")),
    patch: { spec: { "$setElementOrder/containers": [c("b"), c("a")] } },
    to: containers(c("b"), c("a")),
  },
  {
    name: "merges lists in lists",
    from: containers(c("a", { env: [{ name: "X", value: "1" }], ports: [{ containerPort: 1 }] })),
    patch: containers(c("a", { env: [{ name: "Y", value: "2" }], ports: [{ containerPort: 1, name: "p" }] })),
    to: containers(
      c("a", {
        env: [
          { name: "X", value: "1" },
          { name: "Y", value: "2" },
        ],
        ports: [{ containerPort: 1, name: "p" }],
      }),
    ),
  },
  {
    name: "retains keys",
    from: { spec: { volumes: [{ name: "v", emptyDir: {} }] } },
    patch: { spec: { volumes: [{ name: "v", $retainKeys: ["name", "hostPath"], hostPath: { path: "/" } }] } },
    to: { spec: { volumes: [{ name: "v", hostPath: { path: "/" } }] } },
  },
];

test.each(cases)("$name", ({ from, patch, to }) => {
  const before = structuredClone(from);
  expect(strategicMerge("Pod", from, patch)).toEqual(to);
  expect(from).toEqual(before);
});

test.each([containers({ image: "keyless" }), { spec: { $patch: "explode" } }])("%j is refused", async (patch) => {
  expect((await refusal(() => strategicMerge("Pod", {}, patch))).code).toBe("BadRequest");
});

// RFC 7386, appendix A.
test.each<[JsonObject, JsonObject, JsonObject]>([
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])("merge %j with %j", (target, patch, result) => {
  expect(mergePatch(target, patch)).toEqual(result);
});
