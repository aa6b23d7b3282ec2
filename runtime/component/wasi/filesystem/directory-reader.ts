import type { Dir, Dirent } from "node:fs";
import { opendir } from "node:fs/promises";
import type { GuestContext } from "../guest-context.ts";
import { type FileType, fileTypeOf } from "./metadata.ts";
import type { OpenNode } from "./open-node.ts";
import { decodeName } from "./path-walk.ts";

/** `wasi:filesystem/types.directory-entry`. */
export interface DirectoryEntry {
  readonly type: FileType;
  readonly name: string;
}

/** The entries of a directory, without `.` and `..`. Closed by its owner, or when the instance ends. */
export class DirectoryReader {
  readonly #context: GuestContext;
  readonly #directory: Dir;
  readonly #node: OpenNode;
  readonly #undoEnd: () => void;
  #reading = Promise.resolve();
  #closed = false;

  private constructor(context: GuestContext, node: OpenNode, directory: Dir) {
    this.#context = context;
    this.#directory = directory;
    this.#node = node.retain();
    this.#undoEnd = context.onEnd(() => this.#close());
  }

  /** `context.openFiles` has one for it. */
  static async open(context: GuestContext, node: OpenNode): Promise<DirectoryReader> {
    // A path through /proc is looked up anew: the directory is read from its beginning, however often it is read.
    const path = node.childPath(".");
    // The types of Node know names as text only.
    const directory = await opendir(path, { encoding: "buffer" as BufferEncoding });
    return new DirectoryReader(context, node, directory);
  }

  /** Undefined after the last. One at a time. */
  async next(): Promise<DirectoryEntry | undefined> {
    const reading = this.#directory.read() as Promise<Dirent<Buffer> | null>;
    this.#reading = reading.then(
      () => undefined,
      () => undefined,
    );
    const entry = await reading;
    return entry === null ? undefined : { type: fileTypeOf(entry), name: decodeName(entry.name) };
  }

  close(): void {
    this.#undoEnd();
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // `Dir` refuses to be closed while it is read.
    void this.#reading
      .then(() => this.#directory.close())
      .catch(() => undefined)
      .finally(() => {
        this.#node.release();
        this.#context.openFiles.give();
      });
  }
}
