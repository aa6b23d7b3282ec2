import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { chmod, lchown, lstat, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type HostLine, PodFault } from "../pod/pod-runtime.ts";
import type { IdRange } from "./kernel/kernel.ts";
import { layersMax } from "./kernel/pod-mounts.ts";
import type { PodFiles } from "./pod-files.ts";

/** What the pod's own layer says about the pod. */
export interface TopLayer {
  readonly hostname: string;
  readonly address: string;
  /** Lines of hosts(5) beside the pod's own. */
  readonly hosts: readonly HostLine[];
  /** resolv.conf(5). */
  readonly resolver: string;
}

/**
 * Directories that something is mounted on, and those that hold our files. Being real ones in the topmost layer, they
 * take the place of whatever an image has there: a link at /proc or /etc leads nowhere, and an image without them works.
 */
const topDirectories = ["", "proc", "sys", "dev", "run", "var", "etc"];
// runc gives a tmpfs the mode of the directory below it, whatever its options say.
const openDirectories = ["tmp", "var/tmp"];

/**
 * Makes the layer that lies on top of the image's: mount points and the three files that name the pod. At once, and not
 * by Node's threads: these are thirty calls of some microseconds each, on the way of whoever waits for the pod.
 */
export function makeTopLayer(files: PodFiles, top: TopLayer): void {
  for (const directory of topDirectories) makeDirectory(join(files.top, directory), 0o755);
  for (const directory of openDirectories) makeDirectory(join(files.top, directory), 0o1777);
  const texts = {
    hostname: `${top.hostname}\n`,
    hosts: hostsText(top),
    "resolv.conf": top.resolver,
  };
  for (const [name, text] of Object.entries(texts)) {
    const path = join(files.top, "etc", name);
    writeFileSync(path, text);
    chmodSync(path, 0o644);
  }
}

function hostsText({ address, hostname, hosts }: TopLayer): string {
  const own = `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${address}\t${hostname}\n`;
  return own + hosts.map(({ ip, names }) => `${ip}\t${names.join(" ")}\n`).join("");
}

/** Whatever the umask of whoever started the node: programs in the pod that are not root are to get in. */
function makeDirectory(path: string, mode: number): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
}

/** Makes a directory that the image's config names and the image has not. `path` is absolute, without links or `..`. */
export function makeInTopLayer(files: PodFiles, path: string): void {
  let directory = files.top;
  for (const part of path.split("/")) {
    directory = join(directory, part);
    makeDirectory(directory, 0o755);
  }
}

/** The same for an empty file. */
export function makeFileInTopLayer(files: PodFiles, path: string): void {
  makeInTopLayer(files, dirname(path));
  writeFileSync(join(files.top, path), "");
}

/** @throws PodFault IMAGE_INVALID when there are more layers than a mount takes */
export function checkLayerCount(layersTopFirst: readonly string[]): void {
  if (layersTopFirst.length <= layersMax) return;
  throw new PodFault(
    "IMAGE_INVALID",
    `the image has ${layersTopFirst.length - 1} layers; at most ${layersMax - 1} can be mounted`,
  );
}

/**
 * Where a container's writes to its root go: on the node's disk, and away with the pod, unless they are kept. What an earlier
 * container has left there gets owners of this one's ids.
 */
export async function makeWritableDirectory(files: PodFiles, users: IdRange | undefined): Promise<void> {
  const [upper, work] = ["upper", "work"].map((part) => join(files.writable, part));
  if (upper === undefined || work === undefined) return;
  const isKept = existsSync(upper);
  for (const directory of [upper, work]) {
    makeDirectory(directory, 0o755);
    if (users !== undefined) chownSync(directory, users.first, users.first);
  }
  if (isKept && users !== undefined) await shiftOwners(upper, users);
}

/** Gives all that is in a directory owners of the range: the same ids, for ranges begin at multiples of their size. */
async function shiftOwners(directory: string, { first, size }: IdRange): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    const { uid, gid, mode } = await lstat(path);
    const [user, group] = [first + (uid % size), first + (gid % size)];
    if (user !== uid || group !== gid) {
      await lchown(path, user, group);
      // A change of owner takes the set-id bits away.
      if (entry.isFile() && (mode & 0o6000) !== 0) await chmod(path, mode & 0o7777);
    }
    if (entry.isDirectory()) await shiftOwners(path, { first, size });
  }
}

/** The directory that holds a pod's files, ready to be filled. */
export async function makePodDirectory(files: PodFiles): Promise<void> {
  await mkdir(dirname(files.config), { recursive: true, mode: 0o700 });
}
