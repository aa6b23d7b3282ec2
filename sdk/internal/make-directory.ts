import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a directory and those above it, if need be. Not by `recursive`: Node then never ends where the kernel says ENOENT
 * of a parent that is there, as below /proc. @throws the system's error
 */
export function makeDirectory(directory: string, mode = 0o777): void {
  if (!existsSync(dirname(directory))) makeDirectory(dirname(directory), mode);
  if (!existsSync(directory)) mkdirSync(directory, { mode });
}
