import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostJail } from "./host-jail.ts";
import { type CgroupLayout, cpuShares, cpuWeight, neededControllers } from "./kernel/cgroup.ts";
import { machineCgroup, nodeCgroup, nodeKey } from "./pod-files.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "shallop-jail-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const cores = availableParallelism();

test.each([
  { mode: "v1", file: "cpu.shares", machine: cpuShares(cores), hosts: cpuShares(cores) },
  { mode: "v2", file: "cpu.weight", machine: 100 * cores, hosts: cpuWeight(cpuShares(cores)) },
] as const)("$mode: what holds the pods weighs as much as all processors", async ({ mode, file, machine, hosts }) => {
  const layout: CgroupLayout = {
    ...{ mode, rootByController: new Map(neededControllers.map((name) => [name, root])), roots: [root] },
    ...(mode === "v2" ? { unified: root } : {}),
  };
  const hostsCgroup = `${nodeCgroup(nodeKey("/node"))}/hosts`;
  // As the kernel makes them: each counts as one thread.
  await mkdir(join(root, hostsCgroup), { recursive: true });
  for (const cgroup of [machineCgroup, hostsCgroup]) await writeFile(join(root, cgroup, file), "1");
  const jail = await hostJail({ directory: "/node", clock: new FakeClock(), log: silentLog, layout, uid: 0 });
  expect(jail.weakness).toBeUndefined();
  const weight = async (cgroup: string): Promise<number> => Number(await readFile(join(root, cgroup, file), "utf8"));
  expect([await weight(machineCgroup), await weight(hostsCgroup)]).toEqual([machine, hosts]);
});
