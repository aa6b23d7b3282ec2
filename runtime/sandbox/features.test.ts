import { expect, test } from "vitest";
import { detectFeatures, type MachineProbe, parseVersion, runtimeWarnings } from "./features.ts";

const able: MachineProbe = {
  platform: "linux",
  arch: "x64",
  uid: 0,
  find: async (program) => (program === "crun" ? undefined : `/usr/bin/${program}`),
  version: async () => "runc version 1.3.3\n",
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
  const features = await detectFeatures(able);
  expect(features.native).toBe(true);
  expect(features.machine).toMatchObject({
    runtime: { kind: "runc", version: "1.3.3" },
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
  { name: "no root", probe: { uid: 1000 }, says: /need root.*sudo/ },
  { name: "no runtime", probe: { find: without("runc") }, says: /apt-get install runc/ },
  { name: "no ip", probe: { find: without("ip") }, says: /apt-get install iproute2/ },
  { name: "no unshare", probe: { find: without("unshare") }, says: /apt-get install util-linux/ },
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
  const features = await detectFeatures({ ...able, ...probe });
  expect(features.native).toBe(false);
  expect(features.machine).toBeUndefined();
  expect(features.nativeMissing).toMatch(says);
});

test("crun is taken where runc is missing", async () => {
  const find: MachineProbe["find"] = async (program) => (program === "runc" ? undefined : `/usr/bin/${program}`);
  const features = await detectFeatures({ ...able, find, version: async () => "crun version 1.8.1\n" });
  expect(features.machine?.runtime).toEqual({ kind: "crun", path: "/usr/bin/crun", version: "1.8.1" });
});

test("this machine is looked at without an error, whatever it is", async () => {
  const features = await detectFeatures();
  expect(features.native).toBe(features.machine !== undefined);
  expect(features.native).toBe(features.nativeMissing === undefined);
});

const versions = [
  { version: "1.0.0", warned: true },
  { version: "1.1.5", warned: true },
  { version: "1.2.7", warned: true },
  { version: "1.2.8", warned: false },
  { version: "1.3.2", warned: true },
  { version: "1.3.3", warned: false },
  { version: "1.4.0-rc.2", warned: true },
  { version: "1.4.0-rc.3", warned: false },
  { version: "1.4.0", warned: false },
  { version: "1.5.0", warned: false },
  { version: "2.0.0", warned: false },
  { version: "unknown", warned: true },
];
test.each(versions)("runc $version is warned of: $warned", ({ version, warned }) => {
  expect(runtimeWarnings({ kind: "runc", path: "/usr/sbin/runc", version }).length > 0).toBe(warned);
});

test("versions are read as Debian and upstream print them", () => {
  expect(parseVersion("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\n")).toBe("1.1.5");
  expect(parseVersion("runc version 1.4.0-rc.3\n")).toBe("1.4.0-rc.3");
  expect(parseVersion("nonsense")).toBe("unknown");
});
