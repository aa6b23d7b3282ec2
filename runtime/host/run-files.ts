import { renameSync, rmSync, symlinkSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { errorCode } from "@shallop/sdk/internal";

// Unix socket paths are limited to 107 bytes: short names in a short directory.

/** What a host process may write to: its sockets. `id`: lower-case letters and digits, six of them. */
export const hostDirectory = (runDirectory: string, id: string): string => join(runDirectory, `h-${id}`);

/** Socket of a host process, for its agent. */
export const hostSocket = (directory: string): string => join(directory, "host.sock");

/** Socket of a pod where its host process makes it. */
export const hostPodSocket = (directory: string, uid: string): string => join(directory, `p-${uid}`);

/** Socket of a pod's way out where the egress proxy makes it, in the directory that its host process sees. */
export const egressSocket = (directory: string, uid: string): string => join(directory, uid);

/** Socket of a pod, for gateways: a link to where it is, which is elsewhere once its host process is another. */
export const podSocket = (runDirectory: string, uid: string): string => join(runDirectory, `p-${uid}.sock`);

/** Puts `target` where gateways look for the pod, in place of what is there. At once, because a request waits for it. */
export function linkPodSocket(path: string, target: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    const beside = `${path}.new`;
    rmSync(beside, { force: true });
    symlinkSync(target, beside);
    renameSync(beside, path);
  }
}

/** Directories of host processes that were there when the directory was read, of live and of dead ones. */
export async function hostDirectories(runDirectory: string): Promise<readonly string[]> {
  const names = await list(runDirectory);
  return names.filter((name) => /^h-[a-z0-9]+$/.test(name)).map((name) => join(runDirectory, name));
}

/** Removes the sockets of pods that are not among `uids`: those of host processes that were killed without an agent. */
export async function removeStalePodSockets(runDirectory: string, uids: ReadonlySet<string>): Promise<void> {
  for (const name of await list(runDirectory)) {
    const uid = /^p-(.+)\.sock$/.exec(name)?.[1];
    if (uid !== undefined && !uids.has(uid)) await rm(join(runDirectory, name), { force: true });
  }
}

/** Removes what belongs to no directory of a live host process. */
export async function removeStray(parent: string, live: ReadonlySet<string>): Promise<void> {
  for (const name of await list(parent)) {
    const host = /^h-[a-z0-9]+/.exec(name)?.[0];
    if (host !== undefined && !live.has(host)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

export const hostName = (directory: string): string => basename(directory);

const list = (directory: string): Promise<readonly string[]> => readdir(directory).catch(() => []);
