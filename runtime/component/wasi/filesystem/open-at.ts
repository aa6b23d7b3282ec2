import { type BigIntStats, constants } from "node:fs";
import { lstat } from "node:fs/promises";
import { errorCode } from "@shallop/sdk/internal";
import { close, fstat, open } from "./fd-calls.ts";
import { FileFault } from "./file-error.ts";
import { fileTypeOf } from "./metadata.ts";
import { type OpenNode, pathOnly } from "./open-node.ts";
import { openedNode, type Spot, walk } from "./path-walk.ts";

/** `wasi:filesystem/types.open-flags`. */
export interface OpenFlags {
  readonly create?: boolean;
  readonly directory?: boolean;
  readonly exclusive?: boolean;
  readonly truncate?: boolean;
}

/** `wasi:filesystem/types.descriptor-flags`. */
export interface DescriptorFlags {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly fileIntegritySync?: boolean;
  readonly dataIntegritySync?: boolean;
  readonly requestedWriteSync?: boolean;
  readonly mutateDirectory?: boolean;
}

export interface OpenRequest {
  readonly path: string;
  readonly followLast: boolean;
  readonly open: OpenFlags;
  readonly flags: DescriptorFlags;
}

// Somebody else may create or remove the name between two looks at it; whoever does it this often does it on purpose.
const attemptsMax = 8;

/**
 * Opens a file or a directory, and nothing else: it is looked at before it is opened for use, so that no device is
 * ever touched and no fifo waits for its other end. @throws FileFault, or what the system says
 */
export async function openAt(base: OpenNode, request: OpenRequest): Promise<OpenNode> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const opened = await tryOpen(base, request);
    if (opened !== undefined) return opened;
  }
  throw new FileFault("busy", "the name comes and goes");
}

/** Undefined when the name came or went meanwhile. */
async function tryOpen(base: OpenNode, request: OpenRequest): Promise<OpenNode | undefined> {
  const { open: how } = request;
  const creates = how.create === true;
  // open(2): with O_CREAT and O_EXCL, the last component is not followed. A path that ends in `/` means what it leads to.
  const followLast = (request.followLast || request.path.endsWith("/")) && !(creates && how.exclusive === true);
  using spot = await walk(base, request.path, followLast);
  using look = await lookAt(spot);
  if (look === undefined) {
    if (!creates) throw new FileFault("no-entry", "there is no such file");
    if (how.directory === true) throw new FileFault("invalid", "a directory is not created by opening it");
    if (spot.trailingSlash) throw new FileFault("is-directory", "a file has no / at its end");
    // Awaited, here and below: `using` closes the directory when this function returns, not when its promise settles.
    return await create(spot, request);
  }
  if (creates && how.exclusive === true) throw new FileFault("exist", "it is there already");
  checkKind(look.stats, spot, request);
  return await reopen(spot, look, request);
}

function checkKind(stats: BigIntStats, spot: Spot, { open: how, flags }: OpenRequest): void {
  const type = fileTypeOf(stats);
  if (type === "symbolic-link") throw new FileFault("loop", "the path ends with a symbolic link");
  if (type === "directory") {
    if (flags.write !== true && how.create !== true && how.truncate !== true) return;
    throw new FileFault("is-directory", "a directory is not written to");
  }
  if (how.directory === true || spot.trailingSlash) throw new FileFault("not-directory", "it is no directory");
  if (type !== "regular-file") throw new FileFault("not-permitted", `guests may not open a ${type}`);
}

interface Look extends Disposable {
  readonly stats: BigIntStats;
  /** Reaches what was looked at. */
  readonly path: string;
}

async function lookAt({ directory, path }: Spot): Promise<Look | undefined> {
  try {
    if (directory.reach === "path") {
      return { stats: await lstat(path, { bigint: true }), path, [Symbol.dispose]: () => undefined };
    }
    const fd = await open(path, pathOnly | constants.O_NOFOLLOW);
    const dispose = (): void => void close(fd).catch(() => undefined);
    try {
      return { stats: await fstat(fd), path: `/proc/self/fd/${fd}`, [Symbol.dispose]: dispose };
    } catch (error) {
      dispose();
      throw error;
    }
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function create({ directory, path }: Spot, request: OpenRequest): Promise<OpenNode | undefined> {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | accessFlags(request.flags);
  try {
    return await openedNode(directory, await open(path, flags, 0o666), path);
  } catch (error) {
    if (errorCode(error) === "EEXIST" && request.open.exclusive !== true) return undefined;
    throw error;
  }
}

async function reopen({ directory }: Spot, look: Look, request: OpenRequest): Promise<OpenNode | undefined> {
  const isDirectory = look.stats.isDirectory();
  const flags =
    // A descriptor is no symbolic link that could be refused; a path may have become one.
    (directory.reach === "path" ? constants.O_NOFOLLOW : 0) |
    (isDirectory ? constants.O_RDONLY | constants.O_DIRECTORY : accessFlags(request.flags)) |
    (request.open.truncate === true ? constants.O_TRUNC : 0);
  const fd = await open(look.path, flags);
  const opened = await openedNode(directory, fd, look.path);
  if (opened.inode === look.stats.ino && opened.device === look.stats.dev) return opened;
  opened.release();
  return undefined;
}

function accessFlags(flags: DescriptorFlags): number {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_SYNC, O_DSYNC, O_NONBLOCK } = constants;
  const access = flags.write !== true ? O_RDONLY : flags.read === true ? O_RDWR : O_WRONLY;
  const sync =
    flags.fileIntegritySync === true || flags.requestedWriteSync === true
      ? O_SYNC
      : flags.dataIntegritySync === true
        ? O_DSYNC
        : 0;
  // Does nothing to reading and writing files; open(2) itself could wait for the holder of a lease (fcntl(2)).
  return access | sync | O_NONBLOCK;
}
