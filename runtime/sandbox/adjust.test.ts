import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { processorsOf } from "./adjust.ts";
import { CgroupTree } from "./kernel/cgroup.ts";

test.each([
  { handed: ["cpu", "cpuset"], cpus: "0", held: "0", reasons: [] },
  { handed: ["cpu"], cpus: "0", held: undefined, reasons: ["NoCpuset"] },
  { handed: ["cpu"], cpus: undefined, held: undefined, reasons: [] },
])("of the processors $cpus, with $handed, a pod is held to $held", ({ handed, cpus, held, reasons }) => {
  const root = "/sys/fs/cgroup";
  const rootByController = new Map(handed.map((name) => [name, root]));
  const cgroups = new CgroupTree({ mode: "v2", rootByController, roots: [root], unified: root }, new FakeClock());
  const noticed: string[] = [];
  expect(processorsOf(cpus === undefined ? {} : { cpus }, { cgroups }, ({ reason }) => noticed.push(reason))).toBe(
    held,
  );
  expect(noticed).toEqual(reasons);
});
