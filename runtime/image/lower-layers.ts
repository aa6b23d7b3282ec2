import { type BigIntStats, createReadStream } from "node:fs";
import { lstat } from "node:fs/promises";
import type { DirectoryAttributes, LowerFile, LowerLayers } from "./layer-rewriter.ts";

/** Unpacked layers below the one that is being unpacked, the topmost first. */
export function lowerLayers(directories: readonly string[]): LowerLayers {
  return {
    directory: async (path) => {
      const found = await lookUp(directories, path);
      return found?.stats.isDirectory() === true ? attributesOf(found.stats) : undefined;
    },
    file: async (path): Promise<LowerFile | undefined> => {
      const found = await lookUp(directories, path);
      if (found?.stats.isFile() !== true) return undefined;
      return { ...attributesOf(found.stats), size: Number(found.stats.size), body: fileBytes(found.file) };
    },
  };
}

/** Opened when it is read, so that its failure has somebody to go to. */
async function* fileBytes(file: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield* createReadStream(file) as AsyncIterable<Buffer>;
}

/**
 * What overlayfs would show at a path, without links: a path through a link of an image is not followed, because it is
 * this machine's tree that it would lead into.
 */
async function lookUp(
  directories: readonly string[],
  path: string,
): Promise<{ readonly file: Buffer; readonly stats: BigIntStats } | undefined> {
  const parts = path.split("/");
  for (const directory of directories) {
    // The archive's names are bytes, and so are the file system's.
    let file = Buffer.from(directory);
    let stats: BigIntStats | undefined;
    for (const [index, part] of parts.entries()) {
      file = Buffer.concat([file, Buffer.from("/"), Buffer.from(part, "latin1")]);
      stats = await lstat(file, { bigint: true }).catch(() => undefined);
      if (stats === undefined) break;
      // A whiteout, a link or a file on the way: what is below it is hidden, too.
      if (index < parts.length - 1 && !stats.isDirectory()) return undefined;
    }
    if (stats !== undefined) return stats.isCharacterDevice() ? undefined : { file, stats };
  }
  return undefined;
}

const attributesOf = (stats: BigIntStats): DirectoryAttributes => {
  const nanos = ((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return {
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: Number((stats.mtimeNs - nanos) / 1_000_000_000n),
    mtimeNanos: Number(nanos),
  };
};
