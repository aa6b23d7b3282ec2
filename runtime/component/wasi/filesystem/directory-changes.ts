import type { BigIntStats } from "node:fs";
import { link, lstat, lutimes, mkdir, readlink, rename, rmdir, symlink, unlink } from "node:fs/promises";
import { FileFault } from "./file-error.ts";
import { type NewTimestamp, timesToSet } from "./metadata.ts";
import type { OpenNode } from "./open-node.ts";
import { decodeName, type Spot, walk } from "./path-walk.ts";

// What is done to names in a directory. Every call below the walk takes the last component as it stands and follows no
// symbolic link there: lstat, lutimes, mkdir, rmdir, unlink, rename, symlink and readlink never do, link does not on Linux.

/** A path to something that is there, in a directory that is open. */
export interface PathIn {
  readonly base: OpenNode;
  readonly path: string;
  readonly followLast: boolean;
}

/** `x/` means what `x` leads to. */
const walkTo = ({ base, path, followLast }: PathIn): Promise<Spot> =>
  walk(base, path, followLast || path.endsWith("/"));

export async function statAt(at: PathIn): Promise<BigIntStats> {
  using spot = await walkTo(at);
  return await statSpot(spot, at.followLast);
}

async function statSpot(spot: Spot, followLast: boolean): Promise<BigIntStats> {
  const stats = await lstat(spot.path, { bigint: true });
  if (spot.trailingSlash && !stats.isDirectory()) throw new FileFault("not-directory", "it is no directory");
  // It was none when it was followed.
  if (followLast && stats.isSymbolicLink()) throw new FileFault("loop", "a symbolic link has come in between");
  return stats;
}

export async function setTimesAt(
  at: PathIn,
  times: { readonly access: NewTimestamp; readonly modification: NewTimestamp; readonly wallMs: number },
): Promise<void> {
  using spot = await walkTo(at);
  const stats = await statSpot(spot, at.followLast);
  const { accessSeconds, modificationSeconds } = timesToSet(times.access, times.modification, { ...times, stats });
  await lutimes(spot.path, accessSeconds, modificationSeconds);
}

export async function createDirectory(base: OpenNode, path: string): Promise<void> {
  using spot = await walk(base, path, false);
  await mkdir(spot.path, 0o777);
}

export async function removeDirectory(base: OpenNode, path: string): Promise<void> {
  using spot = await walk(base, path, false);
  await rmdir(spot.path);
}

export async function unlinkFile(base: OpenNode, path: string): Promise<void> {
  using spot = await walk(base, path, false);
  if (spot.trailingSlash) {
    const stats = await lstat(spot.path);
    throw new FileFault(stats.isDirectory() ? "is-directory" : "not-directory", "a file has no / at its end");
  }
  await unlink(spot.path);
}

export async function renameTo(from: Omit<PathIn, "followLast">, to: Omit<PathIn, "followLast">): Promise<void> {
  using source = await walk(from.base, from.path, false);
  using target = await walk(to.base, to.path, false);
  if (source.trailingSlash || target.trailingSlash) {
    const stats = await lstat(source.path);
    if (!stats.isDirectory()) throw new FileFault("not-directory", "a file has no / at its end");
  }
  await rename(source.path, target.path);
}

export async function linkTo(from: PathIn, to: Omit<PathIn, "followLast">): Promise<void> {
  using source = await walkTo(from);
  const stats = await statSpot(source, from.followLast);
  if (stats.isSymbolicLink() && source.directory.reach === "path") {
    throw new FileFault("unsupported", "link(2) of this system follows symbolic links");
  }
  using target = await walk(to.base, to.path, false);
  if (target.trailingSlash) throw new FileFault("no-entry", "a file has no / at its end");
  await link(source.path, target.path);
}

export async function createSymlink(base: OpenNode, path: string, target: string): Promise<void> {
  if (target === "") throw new FileFault("no-entry", "a symbolic link leads somewhere");
  if (target.includes("\0")) throw new FileFault("invalid", "the target contains NUL");
  if (target.startsWith("/")) throw new FileFault("not-permitted", "symbolic links to absolute paths lead nowhere");
  using spot = await walk(base, path, false);
  if (spot.trailingSlash) throw new FileFault("no-entry", "a symbolic link has no / at its end");
  await symlink(target, spot.path);
}

export async function readSymlinkAt(base: OpenNode, path: string): Promise<string> {
  using spot = await walkTo({ base, path, followLast: false });
  const target = decodeName(await readlink(spot.path, "buffer"));
  // What the node's own paths are is no guest's business.
  if (target.startsWith("/")) throw new FileFault("not-permitted", "the symbolic link leads to an absolute path");
  return target;
}
