import { imagePolicies, type JsonObject, kindOf } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { admin, at, openApi, pod, refusal, service, type TestApi } from "./api.fixture.ts";
import { controllersUser } from "./user.ts";
import { createObject, updateObject } from "./write.ts";

const policies = { kind: kindOf(imagePolicies)! };
const writePolicy = (api: TestApi, name: string, spec: JsonObject) =>
  createObject(api, policies, { apiVersion: "shallop.dev/v1", kind: "ImagePolicy", metadata: { name }, spec }, admin);
const imaged = (image: string): JsonObject => pod("p", {}, { containers: [{ name: "c", image }] });

test("what a policy refuses by its name is not written: pods, services, and init containers", async () => {
  const api = await openApi();
  await writePolicy(api, "no-hub", { images: ["docker.io/**"], deny: true, message: "mirror it first" });
  const refused = await refusal(() => createObject(api, at("pods", "default"), imaged("docker.io/alpine"), admin));
  expect(refused).toMatchObject({
    code: "Forbidden",
    message:
      'pods "p" is forbidden: image policy no-hub refuses docker.io/library/alpine:latest: nothing of that name may run (mirror it first)',
  });
  const hidden = pod(
    "p",
    {},
    {
      containers: [{ name: "c", image: "img:1" }],
      initContainers: [{ name: "i", image: "docker.io/alpine" }],
    },
  );
  expect((await refusal(() => createObject(api, at("pods", "default"), hidden, admin))).message).toContain("no-hub");
  const bad = { spec: { containers: [{ image: "docker.io/alpine" }] } };
  const made = await createObject(api, at("services", "default"), service("s"), admin);
  const change = { ...made, spec: { template: bad } };
  await expect(updateObject(api, at("services", "default", "s"), change, admin)).rejects.toMatchObject({
    code: "Forbidden",
  });
  await createObject(api, at("pods", "default"), imaged("img:1"), admin);
});

test("a digest may be demanded, in some namespaces; what was there before may still change in other ways", async () => {
  const api = await openApi();
  const made = await createObject(api, at("services", "default"), service("s"), admin);
  await writePolicy(api, "pinned", { images: ["**"], namespaces: ["default"], digestRequired: true });
  const labelled = { ...made, metadata: { ...made.metadata, labels: { a: "b" } } };
  await updateObject(api, at("services", "default", "s"), labelled, admin);
  expect((await refusal(() => createObject(api, at("pods", "default"), imaged("img:1"), admin))).message).toContain(
    "by its digest",
  );
  await createObject(api, at("pods", "default"), imaged(`img@sha256:${"a".repeat(64)}`), admin);
  await createObject(api, at("pods", "kube-system"), imaged("img:1"), admin);
  // A controller's pod is held to the policy by the node, where the reason can be seen.
  const other = { ...imaged("img:1"), metadata: { name: "q" } };
  await createObject(api, at("pods", "default"), other, { user: controllersUser });
});

test("a policy that cannot be is refused with every bad field", async () => {
  const api = await openApi();
  const refused = await refusal(() =>
    writePolicy(api, "bad", { images: [], registries: ["a b"], keys: [{ key: "hello" }] }),
  );
  expect(refused.code).toBe("Invalid");
  expect([...refused.fields].sort()).toEqual(["spec.images", "spec.keys[0].key", "spec.registries[0]"]);
});
