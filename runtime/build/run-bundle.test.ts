import { guestLimitDefaults } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { runBundle } from "./run-bundle.ts";

const input = {
  hostname: "build",
  limits: {
    ...{ ...guestLimitDefaults, memoryBytes: 1 << 30, cpu: 1, pidsMax: 100, concurrencyMax: 0 },
    ...{ requestTimeoutMs: 1, startTimeoutMs: 1 },
  },
  users: { first: 1 << 24, size: 65_536 },
  cgroupsPath: "/shallop/n/k/run",
  machine: {
    ...{ arch: "x64" as const, cgroupV2: false, swapLimit: true, ipv6: true },
    ...{ shiftsUsers: true, openFilesMax: 4096 },
  },
};
const processOf = (uid: number) => ({
  ...{ args: ["/bin/sh"], env: [], cwd: "/", cwdMissing: false },
  user: { uid, gid: uid, additionalGids: [] },
});

test("a pod's walls, with a root that can be written and all of it on disk", () => {
  const spec = runBundle({ ...input, process: processOf(0) }, "/run/netns/x");
  expect(spec.root.readonly).toBe(false);
  expect(spec.process.noNewPrivileges).toBe(true);
  expect(spec.mounts.map(({ destination }) => destination)).toEqual([
    ...["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"],
  ]);
  expect(spec.linux.namespaces).toContainEqual({ type: "network", path: "/run/netns/x" });
  expect(spec.linux.namespaces).toContainEqual({ type: "user" });
  expect(spec.linux.resources).toMatchObject({ memory: { limit: 1 << 30, swap: 1 << 30 }, pids: { limit: 100 } });
  expect(spec.linux.seccomp?.defaultAction).toBe("SCMP_ACT_ERRNO");
  expect(spec.linux.sysctl).toBeUndefined();
});

test("what installing needs, for root only", () => {
  const { capabilities } = runBundle({ ...input, process: processOf(0) }, undefined).process;
  expect(capabilities.effective).toEqual(
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETUID"].map((name) => `CAP_${name}`),
  );
  expect(capabilities.inheritable).toEqual([]);
  expect(runBundle({ ...input, process: processOf(5) }, undefined).process.capabilities.bounding).toEqual([]);
});

test("the machine's network is one that no namespace stands before", () => {
  const { namespaces } = runBundle({ ...input, process: processOf(0) }, undefined).linux;
  expect(namespaces.map(({ type }) => type)).toEqual(["pid", "ipc", "uts", "mount", "cgroup", "user"]);
});

test("there is no audit, which programs that make users ask for", () => {
  const rules = runBundle({ ...input, process: processOf(0) }, undefined).linux.seccomp?.syscalls ?? [];
  expect(rules.at(-1)).toMatchObject({ names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 93 });
});
