import { createHash } from "node:crypto";
import { access, constants, lstat, mkdir, realpath } from "node:fs/promises";
import path from "node:path";
import { assert, Fault } from "@shallop/sdk/internal";
import { userMap } from "../sandbox/kernel/user-map.ts";

type RunDirectoryFaultCode =
  /** Somebody else owns the path, or it is no directory. */
  "NOT_OURS";

class RunDirectoryFault extends Fault<RunDirectoryFaultCode> {}

/** `sun_path` of a unix socket has 108 bytes with the final zero: unix(7). macOS has 104. */
const socketPathBytesMax = 103;
/** Names below the run directory: a uid of 36 characters and a suffix. */
const socketNameBytesMax = 48;
/** `shallop-`, a user id of 32 bits, `-`, the hash, and two slashes. */
const baseBytesMax = socketPathBytesMax - socketNameBytesMax - 33;

/**
 * The directory for a node's sockets: short, because paths of unix sockets are; its owner's alone; the same for the same
 * data directory, so that an agent that starts again finds the sockets of its pods. @throws RunDirectoryFault
 */
export async function runDirectory(dataDirectory: string, preferredBase = "/tmp"): Promise<string> {
  const base = await usable(preferredBase);
  const uid = process.getuid?.() ?? 0;
  // Inside and outside of a user namespace it has the same name.
  const name = `shallop-${String(uid === 0 ? userMap().root : uid)}-`;
  const hash = createHash("sha256")
    .update(await realpath(dataDirectory))
    .digest("hex");
  const directory = path.join(base, `${name}${hash.slice(0, 12)}`);
  assert(directory.length + 1 + socketNameBytesMax <= socketPathBytesMax, `${directory} is too long for unix sockets`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // In a directory where all may write, somebody may have been there first.
  const found = await lstat(directory);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw new RunDirectoryFault(
      "NOT_OURS",
      `${directory} is not a directory that only this user can use; remove it and start again`,
    );
  }
  return directory;
}

/** A session's directory may be named in the environment and not be there, as after `su`, or be too long. */
async function usable(base: string): Promise<string> {
  if (Buffer.byteLength(base) > baseBytesMax) return "/tmp";
  return access(base, constants.W_OK | constants.X_OK).then(
    () => base,
    () => "/tmp",
  );
}
