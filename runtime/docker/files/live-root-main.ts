// A process whose root directory becomes a container's; it looks at what is there, reads it as an archive, or unpacks one.
import { lstat, mkdir, open, readdir, readlink, realpath } from "node:fs/promises";
import { constants, fstatSync } from "node:fs";
import { basename, dirname, join } from "node:path/posix";
import { describeError, errorCode } from "@shallop/sdk/internal";
import { archiveEnd, encodeEntry, noDevice, paddingOf, type TarEntry } from "../../image/tar-format.ts";
import { readTar } from "../../image/tar-reader.ts";
import { Libc } from "../../sandbox/kernel/libc.ts";
import type { PathStat } from "./archive-stat.ts";
import type { LiveAnswer, LiveOrder } from "./live-root.ts";
import { statModes } from "./stat-modes.ts";
import { unpackInto } from "./unpack-into.ts";

// Ranges of ids begin at multiples of it: see sandbox/id-ranges.ts.
const rangeSize = 65_536;

const order = JSON.parse(process.argv[2] ?? "{}") as LiveOrder;
const libc = Libc.load();
libc.check(`making ${order.root} the root`, libc.functions.chroot(order.root));
libc.check("going there", libc.functions.chdir("/"));

const answer = (value: LiveAnswer): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);

async function statOf(path: string): Promise<PathStat> {
  const { size, mode, mtimeMs } = await lstat(path);
  const isLink = (mode & statModes.type) === statModes.symlink;
  // Where it leads to nothing, what it says.
  const linkTarget = isLink ? await realpath(path).catch(() => readlink(path)) : "";
  return { name: basename(path), size, mode, mtime: mtimeMs / 1000, linkTarget };
}

async function write(bytes: Uint8Array): Promise<void> {
  if (!process.stdout.write(bytes)) await new Promise((resolve) => process.stdout.once("drain", resolve));
}

/** What is at a path and below, under another name. Sockets are left out: no archive has them. */
async function pack(path: string, name: string): Promise<void> {
  const found = await lstat(path);
  const common = {
    path: Buffer.from(name, "utf8").toString("latin1"),
    ...{ mode: found.mode & 0o7777, uid: found.uid % rangeSize, gid: found.gid % rangeSize },
    ...{ mtime: Math.floor(found.mtimeMs / 1000), mtimeNanos: 0, size: 0, linkPath: "" },
    ...{ xattrs: new Map<string, string>(), device: noDevice },
  };
  if (found.isSymbolicLink()) {
    const linkPath = Buffer.from(await readlink(path), "utf8").toString("latin1");
    await write(encodeEntry({ ...common, type: "symlink", linkPath }));
  } else if (found.isDirectory()) {
    await write(encodeEntry({ ...common, type: "directory" }));
    for (const child of (await readdir(path)).sort()) {
      // It may be gone by now: the program runs.
      await pack(join(path, child), join(name, child)).catch((error: unknown) => {
        if (errorCode(error) !== "ENOENT") throw error;
      });
    }
  } else if (found.isFIFO()) await write(encodeEntry({ ...common, type: "fifo" }));
  else if (found.isFile()) await packFile(path, common);
}

async function packFile(path: string, common: Omit<TarEntry, "type">): Promise<void> {
  // NONBLOCK, NOFOLLOW: whatever may have taken its place since.
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const found = fstatSync(file.fd);
  if (!found.isFile()) return;
  const { size } = found;
  await write(encodeEntry({ ...common, type: "file", size }));
  let left = size;
  if (size > 0) {
    for await (const piece of file.createReadStream({ end: size - 1, autoClose: false }) as AsyncIterable<Buffer>) {
      left -= piece.length;
      await write(piece);
    }
  }
  // One that has become shorter meanwhile is filled up: its entry says how long it is.
  for (const zeros = Buffer.alloc(64 * 1024); left > 0; left -= zeros.length)
    await write(zeros.subarray(0, Math.min(left, zeros.length)));
  await write(Buffer.alloc(paddingOf(size)));
}

async function run(): Promise<void> {
  const { act, path } = order;
  if (act === "write") {
    if (!(await lstat(await realpath(path))).isDirectory()) {
      answer({ ok: false, code: "BAD_REQUEST", message: "extraction point is not a directory" });
      return;
    }
    const owner = (id: number): number => order.firstId + (id % rangeSize);
    await unpackInto(await realpath(path), readTar(process.stdin as AsyncIterable<Buffer>), {
      owner,
      keepsKinds: order.keepsKinds,
      placeOf: async (at) => {
        await mkdir(dirname(at), { recursive: true });
        return at;
      },
    });
    answer({ ok: true });
    return;
  }
  // A slash or a dot at the end: what a link leads to is meant.
  const isMeant = /\/\.?$/.test(path) && path !== "/";
  const target = isMeant ? await realpath(path) : path;
  answer({ ok: true, stat: { ...(await statOf(target)), name: basename(path) } });
  if (act !== "read") return;
  const name = path.endsWith("/.") ? "." : basename(path) === "" ? "/" : basename(path);
  await pack(target, name);
  await write(archiveEnd);
}

try {
  await run();
} catch (error) {
  const code = errorCode(error);
  const isMissing = code === "ENOENT" || code === "ENOTDIR";
  const message = isMissing ? `Could not find the file ${order.path} in container` : describeError(error);
  answer({ ok: false, code: isMissing ? "NOT_FOUND" : code === "BAD_REQUEST" ? "BAD_REQUEST" : "FAILED", message });
}
