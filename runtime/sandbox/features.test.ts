import { expect, test } from "vitest";
import { detectFeatures, type MachineProbe } from "./features.ts";

const able: MachineProbe = {
  platform: "linux",
  arch: "x64",
  uid: 0,
  find: async (program) => (program === "crun" ? undefined : `/usr/bin/${program}`),
  version: async () => "runc version 1.3.6\n",
  tryMounts: async () => undefined,
  cgroups: async () => ({
    mode: "v2",
    rootByController: new Map(["cpu", "memory", "pids"].map((controller) => [controller, "/sys/fs/cgroup"])),
    roots: ["/sys/fs/cgroup"],
    unified: "/sys/fs/cgroup",
  }),
  readText: async (path) =>
    path === "/proc/filesystems"
      ? "nodev\tproc\nnodev\toverlay\n"
      : path === "/proc/self/limits"
        ? "Max open files            1024      9000      files\n"
        : "",
};

test("a machine that has everything", async () => {
  const features = await detectFeatures({}, able);
  expect(features).toMatchObject({ native: true, warnings: [] });
  expect(features.machine).toMatchObject({
    runtime: { kind: "runc", version: "1.3.6" },
    shiftsUsers: true,
    swapLimit: true,
    ipv6: false,
    openFilesMax: 9000,
  });
});

const without =
  (program: string): MachineProbe["find"] =>
  async (name) =>
    name === program || name === "crun" ? undefined : `/bin/${name}`;

const lacking: { name: string; probe: Partial<MachineProbe>; says: RegExp }[] = [
  { name: "macOS", probe: { platform: "darwin" }, says: /need Linux.*darwin/ },
  { name: "another processor", probe: { arch: "riscv64" }, says: /x86-64 or arm64/ },
  { name: "no root", probe: { uid: 1000 }, says: /need root: start shallop with sudo/ },
  {
    name: "no root, and no namespaces",
    probe: { uid: 1000, notRootless: "unshare failed: EPERM" },
    says: /need root or namespaces.*\(unshare failed: EPERM\).*sudo.*max_user_namespaces/,
  },
  { name: "no runtime", probe: { find: without("runc") }, says: /apt-get install crun/ },
  { name: "no ip", probe: { find: without("ip") }, says: /apt-get install iproute2/ },
  { name: "no unshare", probe: { find: without("unshare") }, says: /apt-get install util-linux/ },
  { name: "no nsenter", probe: { find: without("nsenter") }, says: /apt-get install util-linux/ },
  { name: "no mounts", probe: { tryMounts: async () => "mounting: EPERM" }, says: /file tree here: mounting: EPERM/ },
  {
    name: "a runc with known escapes",
    probe: { version: async () => "runc version 1.1.5\n" },
    says: /refused: runc 1\.1\.5 .*CVE-2024-21626.*install crun.*--known-escapes=allow/,
  },
  { name: "no overlayfs", probe: { readText: async () => "" }, says: /overlayfs.*modprobe/ },
  {
    name: "no controllers",
    probe: { cgroups: async () => ({ mode: "none", rootByController: new Map(), roots: [] }) },
    says: /cpu, memory, pids/,
  },
  {
    name: "a broken machine",
    probe: { cgroups: () => Promise.reject(new Error("I/O error")) },
    says: /looking at this machine failed: I\/O error/,
  },
];

test.each(lacking)("$name: a sentence that says what to do", async ({ probe, says }) => {
  const features = await detectFeatures({}, { ...able, ...probe });
  expect(features.native).toBe(false);
  expect(features.machine).toBeUndefined();
  expect(features.nativeMissing).toMatch(says);
});

test("crun is taken where runc is missing", async () => {
  const find: MachineProbe["find"] = async (program) => (program === "runc" ? undefined : `/usr/bin/${program}`);
  const features = await detectFeatures({}, { ...able, find, version: async () => "crun version 1.8.1\n" });
  expect(features.machine?.runtime).toEqual({ kind: "crun", path: "/usr/bin/crun", version: "1.8.1" });
});

test("this machine is looked at without an error, whatever it is", async () => {
  const features = await detectFeatures();
  expect(features.native).toBe(features.machine !== undefined);
  expect(features.native).toBe(features.nativeMissing === undefined);
});

const both = {
  find: async (program: string) => `/usr/bin/${program}`,
  version: async (path: string) => (path.endsWith("runc") ? "runc version 1.1.5\n" : "crun version 1.8.1\n"),
};

test("of two runtimes the one without known escapes is used, and the other one is named", async () => {
  const features = await detectFeatures({}, { ...able, ...both });
  expect(features.machine?.runtime).toMatchObject({ kind: "crun", version: "1.8.1" });
  expect(features.warnings).toEqual([
    expect.stringMatching(/^runc 1\.1\.5 has .*CVE-2025-31133.*; crun is used instead$/),
  ]);
});

test("a runtime with known escapes is used where that is allowed, and named", async () => {
  const version = async (): Promise<string> => "runc version 1.1.5\n";
  const features = await detectFeatures({ knownEscapes: "allow" }, { ...able, version });
  expect(features.machine?.runtime).toMatchObject({ kind: "runc", version: "1.1.5" });
  expect(features.warnings).toEqual([expect.stringContaining("CVE-2024-21626")]);
});

test("without nft there are native pods all the same, with a proxy for their way out, and it is said", async () => {
  const features = await detectFeatures({}, { ...able, find: without("nft") });
  expect(features).toMatchObject({
    native: true,
    warnings: [expect.stringMatching(/HTTP proxy alone.*no names.*nftables/)],
  });
  const told = await detectFeatures({}, { ...able, nativeEgress: "proxy" });
  expect(told.warnings).toEqual([expect.stringMatching(/HTTP proxy alone.*HTTPS_PROXY name$/)]);
});

test("without shifted owners there are native pods all the same, and it is said", async () => {
  const tryMounts = async (shifted: boolean): Promise<string | undefined> => (shifted ? "EINVAL" : undefined);
  const features = await detectFeatures({}, { ...able, tryMounts });
  expect(features.machine).toMatchObject({ shiftsUsers: false });
  expect(features.warnings).toEqual([expect.stringMatching(/share user ids with this machine.*EINVAL/)]);
});

const rootless = {
  ...{ keeper: 1, gate: "/run/gate.sock", network: "/run/shallop/net", sys: "/run/shallop/sys" },
  ...{ hasCgroups: false, endsWithSession: false },
  ...{ idCount: 1, users: [{ first: 0, size: 1 }], groups: [{ first: 0, size: 1 }] },
};

test("an ordinary user's node has native pods without cgroups, and says what it cannot hold", async () => {
  const tryMounts = async (shifted: boolean): Promise<string | undefined> => (shifted ? "EPERM" : undefined);
  const features = await detectFeatures({}, { ...able, tryMounts, rootless });
  expect(features.machine).toMatchObject({ shiftsUsers: false, rootless, cgroups: { mode: "v2", roots: [] } });
  expect(features.machine?.cgroups.rootByController.size).toBe(0);
  expect(features.warnings).toEqual([
    expect.stringMatching(/run as this user/),
    expect.stringMatching(/limits of CPU and memory.*cannot be held.*login session of systemd.*sudo/),
    expect.stringMatching(/one user.*uidmap.*--add-subuids/),
    expect.stringMatching(/HTTP proxy alone/),
  ]);
});

test("one that has been handed cgroups has them", async () => {
  const tryMounts = async (shifted: boolean): Promise<string | undefined> => (shifted ? "EPERM" : undefined);
  const features = await detectFeatures({}, { ...able, tryMounts, rootless: { ...rootless, hasCgroups: true } });
  expect(features.machine?.cgroups).toEqual(await able.cgroups());
  expect(features.warnings.join("\n")).not.toContain("cannot be held");
  const own = { ...rootless, hasCgroups: true, endsWithSession: true };
  const passing = await detectFeatures({}, { ...able, tryMounts, rootless: own });
  expect(passing.warnings).toContainEqual(expect.stringMatching(/last session.*enable-linger/));
});
