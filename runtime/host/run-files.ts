import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

// Unix socket paths are limited to 107 bytes: short names in a short directory.

/** Socket of a host process, for its agent. `id`: lower-case letters and digits. */
export const hostSocket = (runDirectory: string, id: string): string => join(runDirectory, `h-${id}.sock`);

/** Socket of a pod, for gateways. */
export const podSocket = (runDirectory: string, uid: string): string => join(runDirectory, `p-${uid}.sock`);

/** Sockets of host processes that were there when the directory was read, of live and of dead ones. */
export async function hostSockets(runDirectory: string): Promise<readonly string[]> {
  const names = await list(runDirectory);
  return names.filter((name) => /^h-[a-z0-9]+\.sock$/.test(name)).map((name) => join(runDirectory, name));
}

/** Removes what a host process leaves: its socket, its log, the sockets of its spare threads. */
export async function removeHostFiles(socketPath: string): Promise<void> {
  const name = basename(socketPath);
  for (const other of await list(dirname(socketPath))) {
    if (other === name || other.startsWith(`${name}.`)) await rm(join(dirname(socketPath), other), { force: true });
  }
}

/** Removes the sockets of pods that are not among `uids`: those of host processes that were killed without an agent. */
export async function removeStalePodSockets(runDirectory: string, uids: ReadonlySet<string>): Promise<void> {
  for (const name of await list(runDirectory)) {
    const uid = /^p-(.+)\.sock$/.exec(name)?.[1];
    if (uid !== undefined && !uids.has(uid)) await rm(join(runDirectory, name), { force: true });
  }
}

const list = (directory: string): Promise<readonly string[]> => readdir(directory).catch(() => []);
