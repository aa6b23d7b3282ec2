import { open } from "node:fs/promises";
import { type Digest, ImageFault } from "@shallop/sdk/image";
import { LayerError, type LayerErrorCode } from "../image/tar-format.ts";
import { ArchiveEntries, type IndexEntry } from "./archive-entries.ts";
import { fileBytes } from "./disk-bytes.ts";

interface ArchiveIndex {
  readonly entries: readonly IndexEntry[];
  /** Of the archive before compression. */
  readonly diffId: Digest;
}

/** Reads hostile archives. */
export interface ArchiveReader {
  /** Undefined when it is none: not even its first entry is one. @throws ImageFault LAYER_INVALID | TOO_LARGE */
  index(archive: string): Promise<ArchiveIndex | undefined>;
  /** Writes the files at some places of it to new files that `pathOf` names. @throws ImageFault LAYER_INVALID | TOO_LARGE */
  pick(archive: string, wanted: ReadonlySet<number>, pathOf: (place: number) => string): Promise<void>;
}

/** In this process: for tests, which know what they read. */
export const plainReader: ArchiveReader = {
  index: async (archive) => {
    const entries: IndexEntry[] = [];
    return reading(archive, async (read) => {
      try {
        for await (const entry of read.list()) entries.push(entry);
      } catch (error) {
        if (entries.length > 0 || !isNoArchive(error)) throw error;
      }
      return entries.length === 0 ? undefined : { entries, diffId: `sha256:${read.diffHex()}` as Digest };
    });
  },
  pick: (archive, wanted, pathOf) =>
    reading(archive, async (read) => {
      for await (const { place, body } of read.pick(wanted)) {
        await using file = await open(pathOf(place), "wx", 0o600);
        for await (const piece of body) await file.write(piece);
      }
    }),
};

const isNoArchive = (error: unknown): boolean => error instanceof LayerError && error.code === "LAYER_INVALID";

/** Closes what is read from, however far it was read. */
async function reading<Value>(archive: string, act: (read: ArchiveEntries) => Promise<Value>): Promise<Value> {
  const source = fileBytes(archive);
  try {
    return await act(new ArchiveEntries({ [Symbol.asyncIterator]: () => source }));
  } catch (error) {
    if (!(error instanceof LayerError)) throw error;
    throw archiveFault(archive, error.code, error.message);
  } finally {
    await source.return();
  }
}

/** Stored layers are named by their digest, and so shown as one. */
export function archiveFault(archive: string, code: LayerErrorCode, message: string): ImageFault {
  const name = archive.slice(archive.lastIndexOf("/") + 1);
  const shown = /^[0-9a-f]{64}$/.test(name) ? `the layer sha256:${name}` : `the archive ${name}`;
  return new ImageFault(code === "TOO_LARGE" ? code : "LAYER_INVALID", `${shown} cannot be read: ${message}`);
}
