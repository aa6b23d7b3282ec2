import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CgroupTree, detectCgroupLayout, neededControllers } from "../../runtime/sandbox/kernel/cgroup.ts";
import { nodeCgroup, nodeKey } from "../../runtime/sandbox/pod-files.ts";
import { systemClock } from "../../sdk/internal/index.ts";

/** What a tenant's host process has of the processor. */
export interface TenantCpu {
  /** Cores that it may use at most, whatever is idle. */
  readonly quota: number;
  /** What it gets when all want more than there is, in proportion to the others': a core's worth is 1. */
  readonly weight: number;
  readonly usedMs: number;
}

/** Where the kernel holds host processes to a share: of each of the platform's, by its id. Undefined where it cannot. */
export async function tenantCpu(dataDirectory: string): Promise<ReadonlyMap<number, TenantCpu> | undefined> {
  const layout = await detectCgroupLayout();
  const canHold = neededControllers.every((controller) => layout.rootByController.has(controller));
  if (process.getuid?.() !== 0 || !canHold) return undefined;
  const tree = new CgroupTree(layout, systemClock);
  const parent = `${nodeCgroup(nodeKey(join(dataDirectory, "node")))}/hosts`;
  const tenants = new Map<number, TenantCpu>();
  for (const name of await tree.children(parent)) {
    const path = `${parent}/${name}`;
    const [pid] = await tree.processes(path);
    const usedMs = pid === undefined ? undefined : await cpuMs(pid);
    if (pid === undefined || usedMs === undefined) continue;
    tenants.set(pid, { ...(await share(tree, path)), usedMs });
  }
  return tenants;
}

async function share(tree: CgroupTree, path: string): Promise<Pick<TenantCpu, "quota" | "weight">> {
  if (tree.layout.mode === "v2") {
    const [quota, period] = (await tree.read("cpu", path, "cpu.max")).split(" ").map(Number);
    // 39 is what a core's 1024 shares are here.
    return { quota: (quota ?? 0) / (period ?? 1), weight: Number(await tree.read("cpu", path, "cpu.weight")) / 39 };
  }
  const read = async (file: string): Promise<number> => Number(await tree.read("cpu", path, file));
  return {
    quota: (await read("cpu.cfs_quota_us")) / (await read("cpu.cfs_period_us")),
    weight: (await read("cpu.shares")) / 1024,
  };
}

/** Of all its threads (proc_pid_stat(5): user and system time, in hundredths of a second). Undefined when it has gone. */
async function cpuMs(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * 10;
}
