import { readFile } from "node:fs/promises";

/** When a process began, in ticks since boot; tells it from a later one of the same id. Undefined: it is gone. */
export async function processStart(pid: number): Promise<string | undefined> {
  // proc_pid_stat(5): field 22, counted from behind the name, which may hold spaces and brackets. A zombie is gone.
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}
