import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ContentStore, type Digest, digestHex, ImageFault, type StoredLayer } from "@shallop/sdk/image";
import type { IndexEntry } from "./archive-entries.ts";
import type { ArchiveReader } from "./archive-reader.ts";

/** Indexes of layers, each made once and kept. */
export class LayerIndexes {
  readonly #store: ContentStore;
  readonly #reader: ArchiveReader;
  readonly #directory: string;
  readonly #known = new Map<Digest, Promise<readonly IndexEntry[]>>();

  constructor(store: ContentStore, reader: ArchiveReader, directory: string) {
    this.#store = store;
    this.#reader = reader;
    this.#directory = directory;
  }

  /** @throws ImageFault BLOB_UNKNOWN | LAYER_INVALID | TOO_LARGE | DIGEST_MISMATCH */
  entries(layer: StoredLayer): Promise<readonly IndexEntry[]> {
    const known = this.#known.get(layer.diffId);
    if (known !== undefined) return known;
    const made = this.#read(layer);
    this.#known.set(layer.diffId, made);
    made.catch(() => this.#known.delete(layer.diffId));
    return made;
  }

  async #read({ descriptor, diffId }: StoredLayer): Promise<readonly IndexEntry[]> {
    const path = join(this.#directory, `${digestHex(diffId)}.json`);
    const kept = await readFile(path, "utf8").catch(() => undefined);
    // Written by this program, whole or not at all, into a directory of this user's.
    if (kept !== undefined) return JSON.parse(kept) as readonly IndexEntry[];
    const { digest, size } = descriptor;
    const info = await this.#store.info(digest);
    if (info?.sizeBytes !== size)
      throw new ImageFault("BLOB_UNKNOWN", `the store has no layer ${digest} of ${size} bytes`);
    const found = await this.#reader.index(this.#store.path(digest));
    // An empty layer is a block of zeros, which looks like nothing.
    const entries = found?.entries ?? [];
    if (found !== undefined && found.diffId !== diffId)
      throw new ImageFault(
        "DIGEST_MISMATCH",
        `the layer ${digest} unpacks to ${found.diffId}, its image says ${diffId}`,
      );
    await writeFile(`${path}.${process.pid}`, JSON.stringify(entries));
    await rename(`${path}.${process.pid}`, path);
    return entries;
  }
}
