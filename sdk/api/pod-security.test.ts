import { expect, test } from "vitest";
import type { JsonObject } from "./json.ts";
import { podSecurityViolations } from "./validation/pod-security.ts";

const pod = (container: JsonObject = {}, spec: JsonObject = {}): JsonObject => ({
  ...spec,
  containers: [{ name: "app", image: "app", ...container }],
});
const secured = (context: JsonObject, spec?: JsonObject): JsonObject => pod({ securityContext: context }, spec);
const strict: JsonObject = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

const baseline: { name: string; spec: JsonObject; says: RegExp }[] = [
  { name: "privileged", spec: secured({ privileged: true }), says: /^privileged \(container "app" must not set/ },
  { name: "host network", spec: pod({}, { hostNetwork: true, hostPID: true }), says: /hostNetwork=true, hostPID=true/ },
  {
    name: "capability",
    spec: secured({ capabilities: { add: ["CHOWN", "NET_RAW"] } }),
    says: /must not include "NET_RAW"/,
  },
  { name: "every capability", spec: secured({ capabilities: { add: ["ALL"] } }), says: /"ALL"/ },
  {
    name: "host path",
    spec: pod({}, { volumes: [{ name: "v", hostPath: { path: "/" } }] }),
    says: /hostPath volumes \(volume "v"\)/,
  },
  { name: "host port", spec: pod({ ports: [{ containerPort: 80, hostPort: 80 }] }), says: /hostPorts 80/ },
  { name: "proc mount", spec: secured({ procMount: "Unmasked" }), says: /procMount/ },
  {
    name: "sysctl",
    spec: pod({}, { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } }),
    says: /kernel\.msgmax/,
  },
  { name: "no system call filter", spec: secured({ seccompProfile: { type: "Unconfined" } }), says: /Unconfined/ },
  {
    name: "the same for the pod",
    spec: pod({}, { securityContext: { seccompProfile: { type: "Unconfined" } } }),
    says: /pod must not/,
  },
  { name: "SELinux user", spec: secured({ seLinuxOptions: { user: "root" } }), says: /seLinuxOptions/ },
  {
    name: "init container",
    spec: { ...pod(), initContainers: [{ name: "first", securityContext: { privileged: true } }] },
    says: /container "first"/,
  },
];
test.each(baseline)("baseline and restricted refuse: $name", ({ spec, says }) => {
  expect(podSecurityViolations(spec, "baseline")).toEqual([expect.stringMatching(says)]);
  expect(podSecurityViolations(spec, "restricted").length).toBeGreaterThan(0);
  expect(podSecurityViolations(spec, "privileged")).toEqual([]);
});

test("a pod that asks for nothing is baseline, and not restricted", () => {
  expect(podSecurityViolations(pod(), "baseline")).toEqual([]);
  expect(podSecurityViolations(pod(), "restricted")).toEqual([
    expect.stringMatching(/allowPrivilegeEscalation != false \(container "app" must set/),
    expect.stringMatching(/unrestricted capabilities .*drop=\["ALL"\]/),
    expect.stringMatching(/runAsNonRoot != true/),
    expect.stringMatching(/seccompProfile .*RuntimeDefault/),
  ]);
  expect(podSecurityViolations(undefined, "restricted")).toEqual([]);
});

const restricted: { name: string; spec: JsonObject; allowed: boolean }[] = [
  { name: "all that it wants", spec: secured(strict), allowed: true },
  {
    name: "low ports",
    spec: secured({ ...strict, capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] } }),
    allowed: true,
  },
  {
    name: "another capability",
    spec: secured({ ...strict, capabilities: { drop: ["ALL"], add: ["CHOWN"] } }),
    allowed: false,
  },
  { name: "root", spec: secured({ ...strict, runAsUser: 0 }), allowed: false },
  {
    name: "a disk of the machine's network",
    spec: secured(strict, { volumes: [{ name: "v", nfs: {} }] }),
    allowed: false,
  },
  { name: "scratch", spec: secured(strict, { volumes: [{ name: "v", emptyDir: {} }] }), allowed: true },
  {
    name: "what the pod says for its containers",
    spec: secured(
      { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      { securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } } },
    ),
    allowed: true,
  },
];
test.each(restricted)("restricted and $name: $allowed", ({ spec, allowed }) => {
  expect(podSecurityViolations(spec, "restricted").length === 0).toBe(allowed);
});
