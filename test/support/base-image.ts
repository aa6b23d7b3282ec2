import { execFileSync } from "node:child_process";
import { copyFile, cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { nodeLayer } from "./native-image.ts";

/** Debian's busybox-static: one program that is all of a small system. Undefined where it is not, or is linked. */
export function staticBusybox(): string | undefined {
  try {
    const path = execFileSync("which", ["busybox"], { encoding: "utf8" }).trim();
    const listed = execFileSync("ldd", [path], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return /not a dynamic/.test(listed) ? path : undefined;
  } catch (error) {
    // ldd fails for what needs no libraries.
    return error instanceof Error && "status" in error && error.status === 1 ? "/bin/busybox" : undefined;
  }
}

/** A root file system with a shell; with Node when it is asked for. */
export async function baseRoot(
  directory: string,
  busybox: string,
  options: { readonly node?: boolean } = {},
): Promise<void> {
  await mkdir(join(directory, "bin"), { recursive: true });
  await mkdir(join(directory, "tmp"), { recursive: true });
  await copyFile(busybox, join(directory, "bin/busybox"));
  for (const name of ["sh", "echo", "cat", "ls", "rm", "mkdir", "id", "stat"])
    await symlink("busybox", join(directory, "bin", name));
  if (options.node === true) await cp(nodeLayer(), directory, { recursive: true });
}
