import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { type CgroupLayout, cpuQuotaUs, cpuShares, CgroupTree, cpuWeight, parseCgroupLayout } from "./cgroup.ts";

const line = (path: string, type: string, options: string): string =>
  `30 25 0:26 / ${path} rw,relatime - ${type} ${type} ${options}`;

const layouts = [
  {
    mode: "v2",
    mountinfo: [line("/sys/fs/cgroup", "cgroup2", "rw")],
    roots: { cpu: "/sys/fs/cgroup", memory: "/sys/fs/cgroup", pids: "/sys/fs/cgroup" },
  },
  {
    mode: "v1",
    mountinfo: [
      line("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct"),
      line("/sys/fs/cgroup/memory", "cgroup", "rw,memory"),
    ],
    roots: { cpu: "/sys/fs/cgroup/cpu,cpuacct", memory: "/sys/fs/cgroup/memory", pids: undefined },
  },
  {
    mode: "hybrid",
    mountinfo: [line("/sys/fs/cgroup/memory", "cgroup", "rw,memory"), line("/sys/fs/cgroup/unified", "cgroup2", "rw")],
    roots: { cpu: undefined, memory: "/sys/fs/cgroup/memory", pids: undefined },
  },
  { mode: "none", mountinfo: ["22 1 8:1 / / rw - ext4 /dev/vda rw"], roots: { memory: undefined } },
];

test.each(layouts)("mounts of a $mode machine", ({ mode, mountinfo, roots }) => {
  const layout = parseCgroupLayout(mountinfo.join("\n"), () => ["cpu", "memory", "pids", "io"]);
  expect(layout.mode).toBe(mode);
  for (const [controller, root] of Object.entries(roots)) expect(layout.rootByController.get(controller)).toBe(root);
});

test("cores become quota, shares and weight", () => {
  expect([0.5, 2, 0.00001].map(cpuQuotaUs)).toEqual([50_000, 200_000, 1000]);
  expect([1, 0.5, 0.0001, 1000].map(cpuShares)).toEqual([1024, 512, 2, 262_144]);
  expect([2, 1024, 262_144].map(cpuWeight)).toEqual([1, 39, 10_000]);
});

// A directory is a good enough cgroup tree: the files that the kernel would make are written by hand.
describe("the tree", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "shallop-cgroup-"));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const limits = { memoryBytes: 1 << 20, cpu: 0.5, pidsMax: 9 };
  const read = (path: string): Promise<string> => readFile(join(root, path), "utf8");

  test("v2: controllers are handed down, limits are the v2 files", async () => {
    const controllers = ["cpu", "memory", "pids"];
    const layout: CgroupLayout = {
      mode: "v2",
      rootByController: new Map(controllers.map((name) => [name, root])),
      roots: [root],
      unified: root,
    };
    const tree = new CgroupTree(layout, new FakeClock());
    await writeFile(join(root, "cgroup.subtree_control"), "cpu\n");
    await tree.create("a/b");
    expect(await read("cgroup.subtree_control")).toBe("+memory +pids");
    expect(await read("a/cgroup.subtree_control")).toBe("+cpu +memory +pids");
    await tree.limit("a/b", limits);
    await tree.place("a/b", 4321);
    const files = ["memory.max", "cpu.max", "cpu.weight", "pids.max", "cgroup.procs"];
    expect(await Promise.all(files.map((file) => read(`a/b/${file}`)))).toEqual([
      "1048576",
      "50000 100000",
      "20",
      "9",
      "4321",
    ]);
    await expect(read("a/b/memory.swap.max")).rejects.toThrow();
    await writeFile(join(root, "a/b/memory.events"), "low 0\noom 5\noom_kill 3\n");
    await writeFile(join(root, "a/b/pids.events"), "max 12\n");
    expect(await tree.counters("a/b")).toEqual({ oomKills: 3, pidsRefused: 12 });
  });

  test("v2: what disks do is counted where that is handed down", async () => {
    const rootByController = new Map(["cpu", "memory", "pids", "io"].map((name) => [name, root]));
    const tree = new CgroupTree({ mode: "v2", rootByController, roots: [root], unified: root }, new FakeClock());
    await tree.create("a/b");
    expect(await read("a/cgroup.subtree_control")).toBe("+cpu +memory +pids +io");
    await writeFile(join(root, "a/b/io.stat"), "8:0 rbytes=4096 wbytes=10 rios=1\n8:16 rbytes=4 wbytes=2\n");
    expect(await tree.usage("a/b")).toMatchObject({ readBytes: 4100, writtenBytes: 12 });
  });

  test("v1: each controller has its own tree; memory shrinks before, and grows after, memory with swap", async () => {
    const rootByController = new Map(["cpu", "memory", "pids"].map((name) => [name, join(root, name)]));
    const tree = new CgroupTree(
      { mode: "v1", rootByController, roots: [...rootByController.values()] },
      new FakeClock(),
    );
    await tree.create("pod");
    await writeFile(join(root, "memory/pod/memory.limit_in_bytes"), "9223372036854771712");
    await writeFile(join(root, "memory/pod/memory.memsw.limit_in_bytes"), "9223372036854771712");
    await tree.limit("pod", limits);
    const files = [
      "memory/pod/memory.limit_in_bytes",
      "memory/pod/memory.memsw.limit_in_bytes",
      "cpu/pod/cpu.cfs_quota_us",
      "pids/pod/pids.max",
    ];
    expect(await Promise.all(files.map(read))).toEqual(["1048576", "1048576", "50000", "9"]);
    await expect(read("cpu/pod/pids.max")).rejects.toThrow();
    expect(await tree.children("")).toEqual(["pod"]);
  });

  test.each([
    { mode: "v2", controller: "io", file: "io.weight", weights: ["1", "10000"] },
    { mode: "v2", controller: "io", file: "io.bfq.weight", weights: ["10", "1000"] },
    { mode: "v1", controller: "blkio", file: "blkio.bfq.weight", weights: ["10", "1000"] },
    { mode: "v1", controller: "blkio", file: "blkio.weight", weights: ["10", "1000"] },
  ] as const)("$mode: a share of disks' time goes to $file where there is one", async (machine) => {
    const { mode, controller, file, weights } = machine;
    const layout: CgroupLayout = {
      ...{ mode, rootByController: new Map([[controller, root]]), roots: [root] },
      ...(mode === "v2" ? { unified: root } : {}),
    };
    const tree = new CgroupTree(layout, new FakeClock());
    expect(await tree.weigh("pod", 10)).toBe(false);
    for (const [index, weight] of [10, 1000].entries()) {
      await writeFile(join(root, "pod", file), "100\n");
      expect(await tree.weigh("pod", weight)).toBe(true);
      expect(await read(`pod/${file}`)).toBe(weights[index]);
    }
    const bare = new CgroupTree({ mode, rootByController: new Map(), roots: [] }, new FakeClock());
    expect(await bare.weigh("pod", 10)).toBe(false);
  });

  test.each([
    { mode: "v2", file: "cpu.weight", value: "20" },
    { mode: "v1", file: "cpu.shares", value: "512" },
  ] as const)("$mode: a share of processors' time, and which of them", async ({ mode, file, value }) => {
    const controllers = ["cpu", "cpuset"].map((controller) => [controller, root] as const);
    const layout: CgroupLayout = {
      ...{ mode, rootByController: new Map(controllers), roots: [root] },
      ...(mode === "v2" ? { unified: root } : {}),
    };
    const tree = new CgroupTree(layout, new FakeClock());
    await mkdir(join(root, "pod"));
    await writeFile(join(root, "pod", file), "1\n");
    expect(await tree.shareProcessors("pod", 512)).toBe(true);
    expect(await read(`pod/${file}`)).toBe(value);
    expect(await tree.confine("pod", "0-1")).toBe(true);
    expect(await read("pod/cpuset.cpus")).toBe("0-1");
    const bare = new CgroupTree({ mode, rootByController: new Map(), roots: [] }, new FakeClock());
    expect([await bare.shareProcessors("pod", 2), await bare.confine("pod", "0")]).toEqual([false, false]);
  });

  test.each([
    { mode: "v2", file: "cgroup.freeze", frozen: "1", thawed: "0", said: "cgroup.events" },
    { mode: "v1", file: "freezer.state", frozen: "FROZEN", thawed: "THAWED", said: "freezer.state" },
  ] as const)("$mode: what is in it is frozen and thawed; one that is gone needs neither", async (machine) => {
    const { mode, file, frozen, thawed, said } = machine;
    const rootByController = new Map(mode === "v1" ? [["freezer", root]] : []);
    const layout = { mode, rootByController, roots: [root], ...(mode === "v2" ? { unified: root } : {}) };
    const tree = new CgroupTree(layout, new FakeClock());
    await tree.freeze("gone", true);
    await mkdir(join(root, "pod"));
    await writeFile(join(root, "pod", file), thawed);
    if (mode === "v2") await writeFile(join(root, "pod", said), "populated 1\nfrozen 1\n");
    await tree.freeze("pod", true);
    expect(await read(`pod/${file}`)).toBe(frozen);
    if (mode === "v2") await writeFile(join(root, "pod", said), "populated 1\nfrozen 0\n");
    await tree.freeze("pod", false);
    expect(await read(`pod/${file}`)).toBe(thawed);
  });

  test("removing takes what is below with it, and only names of ours are taken", async () => {
    const tree = new CgroupTree({ mode: "v1", rootByController: new Map(), roots: [root] }, new FakeClock());
    await mkdir(join(root, "shallop/pod/inner"), { recursive: true });
    await tree.remove("shallop/pod");
    await tree.remove("shallop/pod");
    await tree.removeIfEmpty("shallop");
    expect(await tree.children("")).toEqual([]);
    for (const path of ["", "/", "a//b", "../x", "a/.."])
      await expect(tree.remove(path)).rejects.toThrow(/not a cgroup of ours/);
  });
});
