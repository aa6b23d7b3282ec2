import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { CellMount } from "../kernel/cell-spec.ts";
import type { Cells } from "./cells.ts";

/** Node's compile cache of our own programs as a process in a cell sees it, which reads it only. Node keeps that of each user apart, by a directory that ends with his number. */
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
