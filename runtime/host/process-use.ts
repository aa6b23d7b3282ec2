import { readFile } from "node:fs/promises";

// USER_HZ, which Linux has fixed at 100 for programs; and pages of 4 KiB, which V8 asks for on every machine of ours.
const tickNs = 1e7;
const pageBytes = 4096;

/** What one process has used, as the kernel counts it: proc_pid_stat(5). Undefined when it is gone. */
export async function processUse(
  pid: number,
): Promise<{ readonly cpuNs: number; readonly memoryBytes: number; readonly processes: 1 } | undefined> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, "utf8").catch(() => "");
  // Counted from behind the name, which may hold spaces and brackets: fields 14, 15 and 24.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system, pages] = [11, 12, 21].map((index) => Number(fields[index]));
  if (user === undefined || system === undefined || pages === undefined || Number.isNaN(pages)) return undefined;
  return { cpuNs: (user + system) * tickNs, memoryBytes: pages * pageBytes, processes: 1 };
}
