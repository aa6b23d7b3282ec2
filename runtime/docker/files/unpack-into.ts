import { constants } from "node:fs";
import { chmod, lchown, link, lstat, lutimes, mkdir, open, rm, symlink } from "node:fs/promises";
import { join } from "node:path/posix";
import { errorCode } from "@shallop/sdk/internal";
import { archiveBytesMax, entriesMax } from "../../build/archive-entries.ts";
import type { TarEntry } from "../../image/tar-format.ts";
import type { ReadEntry } from "../../image/tar-reader.ts";
import { DockerFault } from "../http/docker-fault.ts";

export interface UnpackOptions {
  /** An id of the archive as this machine has it. */
  readonly owner: (id: number) => number;
  /** A directory does not take the place of a file, nor the other way round. */
  readonly keepsKinds: boolean;
  /** Where a path is written to; the directory that it is in is there when this resolves. */
  readonly placeOf: (path: string) => Promise<string>;
}

/**
 * Unpacks an archive into a directory, in the file system whose root is the process's own, or in one that nobody changes
 * meanwhile: it follows links on the way. Devices are refused. @throws DockerFault BAD_REQUEST, LayerError
 */
export async function unpackInto(
  directory: string,
  entries: AsyncIterable<ReadEntry>,
  options: UnpackOptions,
): Promise<void> {
  const later: (() => Promise<void>)[] = [];
  let [count, bytes] = [0, 0];
  for await (const { entry, body } of entries) {
    if (++count > entriesMax || (bytes += entry.size) > archiveBytesMax)
      throw new DockerFault("BAD_REQUEST", "the archive has more than can be unpacked");
    const target = await options.placeOf(below(directory, entry.path));
    await makeRoom(target, entry, options);
    if (entry.type === "hardlink") await link(await options.placeOf(below(directory, entry.linkPath)), target);
    else await make(target, { entry, body });
    await lchown(target, options.owner(entry.uid), options.owner(entry.gid));
    if (entry.type !== "symlink") await chmod(target, entry.mode & 0o7777);
    const time = entry.mtime + entry.mtimeNanos / 1e9;
    // What is put into a directory would change its time.
    if (entry.type === "directory") later.push(() => lutimes(target, time, time));
    else await lutimes(target, time, time);
  }
  for (const act of later.toReversed()) await act();
}

/** @throws DockerFault BAD_REQUEST when it would lead out */
function below(directory: string, path: string): string {
  const parts = Buffer.from(path, "latin1")
    .toString("utf8")
    .split("/")
    .filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new DockerFault("BAD_REQUEST", `${JSON.stringify(path.slice(0, 200))} leads out`);
  return join(directory, ...parts);
}

/** Nothing is left in the way but a directory where one is to be. */
async function makeRoom(target: string, { type }: TarEntry, { keepsKinds }: UnpackOptions): Promise<void> {
  const found = await lstat(target).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined || (found.isDirectory() && type === "directory")) return;
  if (keepsKinds && found.isDirectory() !== (type === "directory")) {
    const [old, made] = found.isDirectory() ? ["directory", "non-directory"] : ["non-directory", "directory"];
    throw new DockerFault("BAD_REQUEST", `cannot overwrite ${old} "${target}" with ${made}`);
  }
  await rm(target, { recursive: true });
}

async function make(target: string, { entry, body }: ReadEntry): Promise<void> {
  switch (entry.type) {
    case "directory":
      return void (await mkdir(target, { recursive: true }));
    case "symlink":
      return symlink(Buffer.from(entry.linkPath, "latin1"), target);
    case "file":
      return writeBody(target, entry, body);
    case "hardlink":
    case "fifo":
    case "character":
    case "block":
      throw new DockerFault("BAD_REQUEST", `${JSON.stringify(target)} is a ${entry.type}, which cannot be copied`);
    default:
      entry.type satisfies never;
  }
}

async function writeBody(target: string, { extents, size }: TarEntry, body: AsyncIterable<Buffer>): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  await using file = await open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  if (extents === undefined) {
    for await (const piece of body) await file.write(piece);
    return;
  }
  const parts = extents.values();
  let part = parts.next().value;
  let written = 0;
  for await (const piece of body) {
    for (let rest = piece; rest.length > 0 && part !== undefined;) {
      const now = rest.subarray(0, part.length - written);
      await file.write(now, 0, now.length, part.offset + written);
      rest = rest.subarray(now.length);
      written += now.length;
      if (written === part.length) [part, written] = [parts.next().value, 0];
    }
  }
  await file.truncate(size);
}
