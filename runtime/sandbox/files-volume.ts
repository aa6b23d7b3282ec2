import { createHash } from "node:crypto";
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { VolumeFile } from "../pod/containers/container-launch.ts";

// The kubelet's names (pkg/volume/util/atomic_writer.go), which programs that watch a volume look for.
const dataLink = "..data";
const nextDataLink = "..data_tmp";

/** Tells contents apart. */
const digestOf = (files: readonly VolumeFile[]): string =>
  createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 16);

/**
 * Files of other objects in a volume, from one moment to the next: what a program sees are links into `..data`, a link
 * to the directory that holds them all, and replacing that one link replaces all files. One that was opened before stays
 * what it was. Undisturbed when it has these files already; true when it had not.
 */
export async function writeFilesVolume(root: string, files: readonly VolumeFile[], owner: number): Promise<boolean> {
  const directory = `..${digestOf(files)}`;
  const before = await readlink(join(root, dataLink)).catch(() => undefined);
  if (before === directory) return false;
  // A write that was cut off may have left some of it.
  await rm(join(root, directory), { recursive: true, force: true });
  await mkdir(join(root, directory), { mode: 0o755 });
  for (const file of files) await writeOne(join(root, directory, file.path), file, owner);
  await rm(join(root, nextDataLink), { force: true });
  await symlink(directory, join(root, nextDataLink));
  await rename(join(root, nextDataLink), join(root, dataLink));
  await linkNames(root, new Set(files.map(({ path }) => path.split("/")[0] ?? "")));
  if (before !== undefined) await rm(join(root, before), { recursive: true, force: true });
  return true;
}

/** Where a path of the volume really is below its root, without links; undefined: it is not there. */
export async function realSubPath(root: string, path: string): Promise<string | undefined> {
  const found = await realpath(join(root, path)).catch(() => undefined);
  return found === undefined ? undefined : relative(await realpath(root), found);
}

/** Links for what there is, and none for what there is no more. */
async function linkNames(root: string, names: ReadonlySet<string>): Promise<void> {
  const present = new Set((await readdir(root)).filter((name) => !name.startsWith("..")));
  for (const name of names) if (!present.has(name)) await symlink(join(dataLink, name), join(root, name));
  for (const name of present) if (!names.has(name)) await unlink(join(root, name));
}

async function writeOne(path: string, file: VolumeFile, owner: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, Buffer.from(file.base64, "base64"), { mode: 0o600 });
  await chown(path, owner, owner);
  await chmod(path, file.mode);
}
