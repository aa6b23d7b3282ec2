import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ContentStore, Digest } from "@shallop/sdk/image";
import { isDigest } from "@shallop/sdk/image";
import { DockerfileFault } from "@shallop/sdk/wire";
import type { ArchiveReader } from "./archive-reader.ts";
import { fileBytes } from "./disk-bytes.ts";
import type { FileContent, RegularNode } from "./file-tree.ts";

/** Gives the bytes of files, wherever they are; those in archives are written to a directory first, an archive at a time. */
export class Spool {
  readonly #store: ContentStore;
  readonly #reader: ArchiveReader;
  readonly #directory: string;
  readonly #paths = new Map<string, string>();
  #count = 0;

  constructor(store: ContentStore, reader: ArchiveReader, directory: string) {
    this.#store = store;
    this.#reader = reader;
    this.#directory = directory;
  }

  /** Makes sure that `bytes` has them all. @throws ImageFault LAYER_INVALID | TOO_LARGE | BLOB_UNKNOWN */
  async fetch(files: Iterable<RegularNode>): Promise<void> {
    const wanted = new Map<string, Set<number>>();
    for (const { content } of files) {
      if (content.kind !== "archive" || this.#paths.has(keyOf(content.archive, content.entry))) continue;
      const places = wanted.get(content.archive) ?? new Set();
      wanted.set(content.archive, places.add(content.entry));
    }
    for (const [archive, places] of wanted) {
      const path = isDigest(archive) ? this.#store.path(archive) : archive;
      await this.#reader.pick(path, places, (place) => {
        const file = join(this.#directory, `file-${this.#count++}`);
        this.#paths.set(keyOf(archive, place), file);
        return file;
      });
    }
  }

  /** A file of this machine with the bytes of one that has been fetched and is no text. */
  path({ content }: RegularNode): string {
    if (content.kind === "text") throw new DockerfileFault("CONTEXT_INVALID", "a text of the Dockerfile is no archive");
    return this.#pathOf(content).toString();
  }

  async *bytes({ content }: RegularNode): AsyncGenerator<Uint8Array, void, undefined> {
    if (content.kind === "text") yield Buffer.from(content.text);
    else yield* fileBytes(this.#pathOf(content));
  }

  /** Of a file's bytes; read where it is not known. */
  async digest(file: RegularNode): Promise<Digest> {
    if (file.digest !== undefined) return file.digest;
    const hash = createHash("sha256");
    for await (const piece of this.bytes(file)) hash.update(piece);
    return `sha256:${hash.digest("hex")}` as Digest;
  }

  #pathOf(content: Exclude<FileContent, { readonly kind: "text" }>): string | Buffer {
    if (content.kind === "disk") return content.path;
    const path = this.#paths.get(keyOf(content.archive, content.entry));
    if (path === undefined) throw new DockerfileFault("CONTEXT_INVALID", `a file of ${content.archive} is gone`);
    return path;
  }
}

const keyOf = (archive: string, entry: number): string => `${entry}:${archive}`;
