import { readdir, readFile } from "node:fs/promises";
import { processStart } from "./process-start.ts";

/** Processes of a user that began before a moment, in ticks since boot. None where there is no /proc. */
export async function processesOfUser(uid: number, beforeTicks: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    // proc_pid_status(5): the real id comes first. The directory's owner is root where a process lets nobody look into it.
    const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
    if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) !== uid) continue;
    const start = Number((await processStart(Number(name))) ?? "Infinity");
    if (start < beforeTicks) found.push(Number(name));
  }
  return found;
}
