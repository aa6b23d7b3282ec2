import { guestLimitDefaults } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { bundleConfig, type BundleInput, networkSysctls } from "./bundle.ts";
import { containerRights } from "./rights.ts";

const input: BundleInput = {
  hostname: "hello-1",
  process: {
    args: ["/app"],
    env: ["PORT=8080"],
    cwd: "/work",
    user: { uid: 0, gid: 0, additionalGids: [] },
    cwdMissing: false,
  },
  rights: containerRights({ isRoot: true, arch: "x64", shiftsUsers: true }),
  limits: {
    ...guestLimitDefaults,
    memoryBytes: 64 << 20,
    cpu: 0.25,
    pidsMax: 100,
    requestTimeoutMs: 1,
    concurrencyMax: 0,
    startTimeoutMs: 1,
  },
  networkNamespace: "/run/netns/pod",
  cgroupsPath: "/shallop/n/k/run",
  machine: { arch: "x64", cgroupV2: false, swapLimit: true, ipv6: true, shiftsUsers: true, openFilesMax: 4096 },
};

test("every wall is up", () => {
  const spec = bundleConfig(input);
  expect(spec.root).toEqual({ path: "/run/shallop/pod/root", readonly: true });
  expect(spec.process).toMatchObject({ noNewPrivileges: true, terminal: false, cwd: "/work", args: ["/app"] });
  expect(spec.linux.namespaces.map((namespace) => namespace.type)).toEqual([
    "pid",
    "network",
    "ipc",
    "uts",
    "mount",
    "cgroup",
  ]);
  expect(spec.linux.namespaces.find((namespace) => namespace.type === "network")?.path).toBe("/run/netns/pod");
  expect(spec.linux.maskedPaths).toEqual(expect.arrayContaining(["/proc/kcore", "/proc/keys", "/sys/firmware"]));
  expect(spec.linux.readonlyPaths).toContain("/proc/sys");
  expect(spec.linux.resources?.devices).toEqual([{ allow: false, access: "rwm" }]);
  expect(spec.mounts.filter((mount) => !mount.options.includes("nosuid"))).toEqual([]);
  // Nothing of the machine's file system comes in; /sys is made for the pod.
  expect(
    spec.mounts.filter((mount) => mount.type === "bind" || mount.source.startsWith("/")).map((mount) => mount.source),
  ).toEqual(["/run/shallop/pod/sys"]);
  expect(
    spec.mounts.filter(
      (mount) => mount.type === "tmpfs" && !mount.options.some((option) => option.startsWith("size=")),
    ),
  ).toEqual([]);
});

test("where the root may be written, what the image has in /tmp and /run is there", () => {
  const scratch = (readOnlyRoot: boolean): readonly string[] =>
    bundleConfig({ ...input, rights: { ...input.rights, readOnlyRoot } })
      .mounts.map(({ destination }) => destination)
      .filter((path) => ["/tmp", "/var/tmp", "/run"].includes(path));
  expect(scratch(true)).toEqual(["/tmp", "/var/tmp", "/run"]);
  expect(scratch(false)).toEqual([]);
});

test("limits: a quarter of a core, no swap, all at least what a start needs", () => {
  expect(bundleConfig(input).linux.resources).toMatchObject({
    memory: { limit: 64 << 20, swap: 64 << 20 },
    cpu: { quota: 25_000, period: 100_000, shares: 256 },
    pids: { limit: 100 },
  });
  const tiny = bundleConfig({ ...input, limits: { ...input.limits, memoryBytes: 1, cpu: 0.0001, pidsMax: 1 } });
  expect(tiny.linux.resources).toMatchObject({
    memory: { limit: 12 << 20 },
    cpu: { quota: 1000, shares: 2 },
    pids: { limit: 32 },
  });
});

test("the machine's kind shows: swap that is not counted, v2, no IPv6, few files", () => {
  const spec = bundleConfig({
    ...input,
    machine: { arch: "arm64", cgroupV2: true, swapLimit: false, ipv6: false, shiftsUsers: false, openFilesMax: 512 },
  });
  expect(spec.linux.resources?.memory).toEqual({ limit: 64 << 20 });
  expect(spec.linux.resources?.unified).toEqual({ "memory.oom.group": "1" });
  expect(Object.keys(networkSysctls({ ipv6: false }, true))).toEqual([
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.conf.all.accept_redirects",
    "net.ipv4.conf.eth0.accept_redirects",
  ]);
  expect(spec.process.rlimits).toContainEqual({ type: "RLIMIT_NOFILE", hard: 512, soft: 512 });
});

test("limits of a container's own: none opens more files than the node may, and there are no cores", () => {
  const resourceLimits = [
    { name: "nofile", soft: 100, hard: 1 << 30 },
    { name: "nproc", soft: 5, hard: 6 },
  ];
  const { rlimits } = bundleConfig({ ...input, rights: { ...input.rights, resourceLimits } }).process;
  expect(rlimits).toEqual([
    { type: "RLIMIT_CORE", hard: 0, soft: 0 },
    { type: "RLIMIT_NOFILE", soft: 100, hard: input.machine.openFilesMax },
    { type: "RLIMIT_NPROC", soft: 5, hard: 6 },
  ]);
});

test("a pod without a link has no settings of one", () => {
  expect(Object.keys(networkSysctls({ ipv6: true }, false)).filter((name) => name.includes("eth0"))).toEqual([]);
});

test("with a range of ids there is a user namespace of exactly these", () => {
  const { linux } = bundleConfig({ ...input, users: { first: 0x0200_0000, size: 65_536 } });
  expect(linux.namespaces).toContainEqual({ type: "user" });
  const mappings = [{ containerID: 0, hostID: 0x0200_0000, size: 65_536 }];
  expect([linux.uidMappings, linux.gidMappings]).toEqual([mappings, mappings]);
});

test("a cgroup path that would be below the agent's own is a bug", () => {
  expect(() => bundleConfig({ ...input, cgroupsPath: "shallop/x" })).toThrow(/relative cgroup path/);
});

test("a terminal is called one, unless the program's environment says otherwise", () => {
  const { process } = bundleConfig({ ...input, terminal: true });
  expect([process.terminal, process.env[0]]).toEqual([true, "TERM=xterm"]);
  const own = { ...input.process, env: ["TERM=vt100"] };
  expect(bundleConfig({ ...input, process: own, terminal: true }).process.env).not.toContain("TERM=xterm");
});

const rootless = {
  ...{ keeper: 1, gate: "/run/gate.sock", network: "/run/shallop/net", sys: "/run/shallop/sys", idCount: 65_537 },
  ...{ hasCgroups: false, endsWithSession: false },
  users: [
    { first: 0, size: 1 },
    { first: 1, size: 65_536 },
  ],
  groups: [{ first: 0, size: 65_537 }],
};

test("on an ordinary user's node: no cgroups, its own ids, and processes counted all the same", () => {
  const machine = { ...input.machine, shiftsUsers: false, rootless };
  const { linux, process, mounts } = bundleConfig({ ...input, users: { first: 0, size: 65_537 }, machine });
  expect([linux.cgroupsPath, linux.resources]).toEqual([undefined, undefined]);
  expect(mounts.map(({ type }) => type)).not.toContain("cgroup");
  expect(linux.namespaces).toContainEqual({ type: "user" });
  // The kernel takes no range that is in two of the namespace above.
  expect(linux.uidMappings).toEqual([
    { containerID: 0, hostID: 0, size: 1 },
    { containerID: 1, hostID: 1, size: 65_536 },
  ]);
  expect(linux.gidMappings).toEqual([{ containerID: 0, hostID: 0, size: 65_537 }]);
  expect(process.rlimits).toContainEqual({ type: "RLIMIT_NPROC", hard: 100, soft: 100 });
  expect(process.rlimits).toContainEqual({ type: "RLIMIT_DATA", hard: 512 << 20, soft: 512 << 20 });
});

test("on an ordinary user's node that has been handed cgroups the limits are theirs, as on root's", () => {
  const machine = { ...input.machine, shiftsUsers: false, rootless: { ...rootless, hasCgroups: true } };
  const { linux, process, mounts } = bundleConfig({ ...input, machine });
  const { linux: roots } = bundleConfig(input);
  expect([linux.cgroupsPath, linux.resources]).toEqual([roots.cgroupsPath, roots.resources]);
  expect(mounts.map(({ type }) => type)).toContain("cgroup");
  expect(process.rlimits.map(({ type }) => type)).toEqual(["RLIMIT_NOFILE", "RLIMIT_CORE"]);
});

test("a node that has one user only has no group of terminals", () => {
  const options = (idCount: number): readonly string[] | undefined => {
    const machine = { ...input.machine, rootless: { ...rootless, idCount } };
    return bundleConfig({ ...input, machine }).mounts.find(({ type }) => type === "devpts")?.options;
  };
  expect(options(65_537)).toContain("gid=5");
  expect(options(1)).not.toContain("gid=5");
});
