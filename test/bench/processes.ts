import { readdirSync, readFileSync } from "node:fs";

/** A process and all that it has started, as far as they run. */
export function descendants(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(statOf(Number(name))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = [root];
  for (let index = 0; index < found.length; index++) found.push(...(children.get(found[index] ?? 0) ?? []));
  return found;
}

// sysconf(_SC_CLK_TCK), which has been 100 on Linux for as long as programs could see it.
const tickMs = 10;

/** Processor time that a process and what it has started have used, theirs and the kernel's for them. */
export const processorMs = (root: number): number => processorMsOf(descendants(root));

/** Likewise of those processes alone. */
export function processorMsOf(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = statOf(pid);
    if (stat !== undefined) ticks += Number(stat[11]) + Number(stat[12]);
  }
  return ticks * tickMs;
}

/** `/proc/PID/stat` from the third field on; undefined when it has ended (proc_pid_stat(5)). */
function statOf(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** Bytes that a process has for itself, and its share of those that it has with others. */
export function proportionalBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
}
