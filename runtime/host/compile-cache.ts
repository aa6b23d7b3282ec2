import { chmod, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guestV8Flags } from "@shallop/sdk/internal";
import type { Cells } from "../sandbox/cell/cells.ts";
import type { CellMount } from "../sandbox/kernel/cell-spec.ts";
import { runCommand } from "../sandbox/kernel/command.ts";

const program = fileURLToPath(new URL("fill-cache-main.ts", import.meta.url));
// Takes half a second, on a busy machine some seconds; without it everything works, and starts more slowly.
const timeoutMs = 30_000;

/**
 * Compiles our own programs into Node's cache, from which host processes start in a third of the time and with half the
 * memory. They only read it: what one of them could write, the next tenant's would run. So a process of its own fills
 * it, which never sees a guest that is not ours.
 */
export async function fillCompileCache(directory: string): Promise<void> {
  await runCommand(process.execPath, [...guestV8Flags, "--no-warnings", program, directory], {
    env: { NODE_COMPILE_CACHE: directory },
    timeoutMs,
  });
  await readableForAll(directory);
}

/** There is nothing in it that not everybody may know; only our own code. */
async function readableForAll(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    // Another process may have replaced it meanwhile.
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644).catch(() => undefined);
  }
}

/** The cache as a process in a cell sees it, which reads it only. Node keeps that of each user apart, by a directory that ends with his number. */
export async function compileCacheMounts(
  directory: string,
  cells: Cells,
  uid: number | undefined,
): Promise<readonly CellMount[]> {
  const ours = `-${String(process.getuid?.() ?? 0)}`;
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((name) => name.endsWith(ours))
    .map((name) => {
      const theirs = `${name.slice(0, -ours.length)}-${String(cells.insideUid(uid))}`;
      return { from: join(directory, name), to: join(directory, theirs), writable: false };
    });
}
