import type { JsonObject } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { admin, at, openApi, pod, refusal, service } from "./api.fixture.ts";
import { createObject, updateObject } from "./write.ts";

const level = "pod-security.kubernetes.io/enforce";
const namespace = (name: string, value: string): JsonObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels: { [level]: value } },
});
const container = (more: JsonObject): JsonObject => ({ name: "app", image: "app", ...more });
const privileged = container({ securityContext: { privileged: true } });
const podOf = (one: JsonObject): JsonObject => ({ ...pod("p"), spec: { containers: [one] } });

test("without a label a privileged pod is refused, and it is said which label allows it", async () => {
  const api = await openApi();
  const refused = await refusal(() => createObject(api, at("pods", "default"), podOf(privileged), admin));
  expect(refused.code).toBe("Forbidden");
  expect(refused.message).toBe(
    'pods "p" is forbidden: violates PodSecurity "baseline:latest": privileged (container "app" must not set ' +
      `securityContext.privileged=true); no level is set: label the namespace with ${level}=privileged to allow it`,
  );
});

test("a label loosens and tightens; a port of the node is refused where baseline is asked for by name only", async () => {
  const api = await openApi();
  for (const value of ["privileged", "baseline", "restricted"])
    await createObject(api, at("namespaces"), namespace(value, value), admin);
  const withPort = podOf(container({ ports: [{ containerPort: 80, hostPort: 80 }] }));
  await createObject(api, at("pods", "privileged"), podOf(privileged), admin);
  await createObject(api, at("pods", "default"), withPort, admin);
  expect((await refusal(() => createObject(api, at("pods", "baseline"), withPort, admin))).message).toContain(
    "hostPorts 80",
  );
  expect(
    (await refusal(() => createObject(api, at("pods", "restricted"), podOf(container({})), admin))).message,
  ).toContain('violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false');
});

test("a template is held to it too, when it is made and when it changes", async () => {
  const api = await openApi();
  const template = (more: JsonObject): JsonObject => ({
    spec: { template: { spec: { containers: [{ image: "app", ...more }] } } },
  });
  const bad = template({ securityContext: { capabilities: { add: ["NET_RAW"] } } });
  const refused = await refusal(() => createObject(api, at("services", "default"), { ...service("s"), ...bad }, admin));
  expect(refused.message).toContain('must not include "NET_RAW"');
  const made = await createObject(api, at("services", "default"), { ...service("s"), ...template({}) }, admin);
  await expect(updateObject(api, at("services", "default", "s"), { ...made, ...bad }, admin)).rejects.toMatchObject({
    code: "Forbidden",
  });
});

test("a level that does not exist is no label of a namespace", async () => {
  const api = await openApi();
  expect((await refusal(() => createObject(api, at("namespaces"), namespace("n", "strict"), admin))).code).toBe(
    "Invalid",
  );
});
