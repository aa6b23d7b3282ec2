import { constants } from "node:fs";
import { lstat, open, readlink } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "@shallop/sdk/internal";

/** What a path in an image leads to, symbolic links followed inside the image only. */
export type ImageEntry =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly hostPath: string }
  /** A device, a socket, a FIFO, or links that lead in a circle. */
  | { readonly kind: "other"; readonly path: string }
  /** `path` is as far as links could be followed, with what was still to come. */
  | { readonly kind: "missing"; readonly path: string };

// The kernel's own bound on links in one path (path_resolution(7)).
const linksMax = 40;
// PATH_MAX.
const pathBytesMax = 4096;

/**
 * Looks a path up in layers as overlayfs would show them, the topmost first, without mounting anything and without ever
 * following a link of the image in the machine's own file system. Opaque directories are read as if they were not:
 * Node cannot read extended attributes, and what shows through is the image's own.
 */
export async function lookUp(layersTopFirst: readonly string[], path: string): Promise<ImageEntry> {
  const pending = path.split("/").filter((part) => part !== "" && part !== ".");
  let directories: readonly Layered[] = [rootOf(layersTopFirst)];
  for (let links = 0; pending.length > 0;) {
    const part = pending.shift() ?? "";
    const here = directories.at(-1) ?? rootOf(layersTopFirst);
    if (part === "..") {
      if (directories.length > 1) directories = directories.slice(0, -1);
      continue;
    }
    const found = await lookUpName(here, part);
    if (found.kind === "missing") return { kind: "missing", path: join(found.path, ...pending) };
    if (found.kind === "directory") {
      directories = [...directories, found];
      continue;
    }
    if (found.kind === "link") {
      if (++links > linksMax) return { kind: "other", path: found.path };
      if (found.target.startsWith("/")) directories = [rootOf(layersTopFirst)];
      pending.unshift(...found.target.split("/").filter((name) => name !== "" && name !== "."));
      if (pending.length > pathBytesMax) return { kind: "other", path: found.path };
      continue;
    }
    // A file in the middle of a path leads nowhere.
    if (pending.length > 0) return { kind: "missing", path: join(found.path, ...pending) };
    return found;
  }
  return { kind: "directory", path: directories.at(-1)?.path ?? "/" };
}

/** A directory of the image: its parts in the layers that have it, the topmost first. */
interface Layered {
  readonly kind: "directory";
  readonly path: string;
  readonly hostPaths: readonly string[];
}

const rootOf = (layersTopFirst: readonly string[]): Layered => ({
  kind: "directory",
  path: "/",
  hostPaths: layersTopFirst,
});

type Found =
  | Layered
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | Exclude<ImageEntry, { readonly kind: "directory" }>;

async function lookUpName(directory: Layered, name: string): Promise<Found> {
  const path = join(directory.path, name);
  const parts: string[] = [];
  for (const parent of directory.hostPaths) {
    const hostPath = join(parent, name);
    const stat = await lstat(hostPath).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (stat === undefined) continue;
    if (stat.isDirectory()) {
      parts.push(hostPath);
      continue;
    }
    // Under a directory, what is no directory is hidden; a character device 0:0 is a whiteout.
    if (parts.length > 0 || (stat.isCharacterDevice() && stat.rdev === 0)) break;
    if (stat.isSymbolicLink()) return { kind: "link", path, target: await readlink(hostPath) };
    return stat.isFile() ? { kind: "file", path, hostPath } : { kind: "other", path };
  }
  return parts.length > 0 ? { kind: "directory", path, hostPaths: parts } : { kind: "missing", path };
}

/** Text of a file of the image; undefined when it is none, or larger than `bytesMax`. */
export async function readImageFile(
  layersTopFirst: readonly string[],
  path: string,
  bytesMax: number,
): Promise<string | undefined> {
  const entry = await lookUp(layersTopFirst, path);
  if (entry.kind !== "file") return undefined;
  // NOFOLLOW, NONBLOCK: whatever may have taken the file's place since, this neither follows nor waits.
  await using file = await open(entry.hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stat = await file.stat();
  return stat.isFile() && stat.size <= bytesMax ? file.readFile("utf8") : undefined;
}

// As of an image's: a distribution's has some dozens of lines.
const liveBytesMax = 1 << 20;

/**
 * Text of `/etc/NAME` below a root whose owner may change it meanwhile: step by step, through opened directories, so that
 * no link leads out. Undefined when it is no such file, or a link.
 */
export async function readBelowEtc(root: string, name: string): Promise<string | undefined> {
  const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  try {
    await using top = await open(root, O_RDONLY | O_DIRECTORY);
    await using etc = await open(`/proc/self/fd/${top.fd}/etc`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    await using file = await open(`/proc/self/fd/${etc.fd}/${name}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stat = await file.stat();
    return stat.isFile() && stat.size <= liveBytesMax ? await file.readFile("utf8") : undefined;
  } catch (error) {
    if (["ENOENT", "ELOOP", "ENOTDIR", "ENXIO"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}
