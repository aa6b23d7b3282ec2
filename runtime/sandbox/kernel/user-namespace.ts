import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { KernelFault, systemPath } from "./command.ts";
import type { IdRange, OpenDescriptor } from "./kernel.ts";

/**
 * A user namespace in which 0 and what follows are the ids of `range`. A process has to be in it while its maps are
 * written (user_namespaces(7)); afterwards the descriptor keeps it. @throws KernelFault COMMAND_MISSING, COMMAND_FAILED
 */
export async function openUserNamespace(range: IdRange): Promise<OpenDescriptor> {
  const child = spawn("unshare", ["--user", "--", "sh", "-c", "echo; read _"], {
    env: { PATH: systemPath },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const failed = new Promise<never>((_, reject) => {
    child.once("error", (cause) => reject(new KernelFault("COMMAND_MISSING", "cannot start unshare", { cause })));
    child.once("exit", () => reject(new KernelFault("COMMAND_FAILED", "no user namespace can be made here")));
  });
  // It may lose the race at the end.
  failed.catch(() => undefined);
  child.stdin.on("error", () => undefined);
  try {
    // What it says, it says from inside.
    await Promise.race([once(child.stdout, "data"), failed]);
    const map = `0 ${range.first} ${range.size}\n`;
    for (const kind of ["uid_map", "gid_map"]) await writeFile(`/proc/${child.pid}/${kind}`, map);
    const fd = openSync(`/proc/${child.pid}/ns/user`, "r");
    return { fd, [Symbol.dispose]: () => closeSync(fd) };
  } finally {
    child.stdin.end();
  }
}
