import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of the files below a directory, without following links; what goes away meanwhile counts as nothing. */
export async function directoryBytes(directory: string): Promise<number> {
  let bytes = 0;
  const open = [directory];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const entry of await readdir(next, { withFileTypes: true }).catch(() => [])) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) open.push(path);
      else bytes += (await lstat(path).catch(() => undefined))?.size ?? 0;
    }
  }
  return bytes;
}
