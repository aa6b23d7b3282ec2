import { constants } from "node:fs";
import type { ByteSink, SinkFailure } from "../byte-sink.ts";
import { Listeners } from "../waitable.ts";
import { close, fstat, open, write } from "./fd-calls.ts";
import { FileFault, fileErrorOf } from "./file-error.ts";
import type { OpenNode } from "./open-node.ts";

/** Where the next bytes go. */
export type WritePosition = { readonly kind: "at"; readonly offset: bigint } | { readonly kind: "end" };

/**
 * A file that a guest writes through a stream. Bytes that were taken are written, also when the guest drops the stream
 * or ends: the file stays open until they are.
 */
export class FileSink implements ByteSink {
  readonly #node: OpenNode;
  readonly #bufferBytesMax: number;
  readonly #listeners = new Listeners();
  #offset: number | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #busy = false;
  #failure: SinkFailure | undefined;

  constructor(node: OpenNode, position: WritePosition, bufferBytesMax: number) {
    this.#node = node;
    this.#bufferBytesMax = bufferBytesMax;
    this.#offset = position.kind === "at" ? Number(position.offset) : undefined;
  }

  capacity(): number {
    return this.#failure === undefined ? this.#bufferBytesMax - this.#waitingBytes : 0;
  }

  write(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#busy) return;
    this.#busy = true;
    void this.#node.during(() => this.#drain());
  }

  flushed(): boolean {
    return this.#waitingBytes === 0;
  }

  failure(): SinkFailure | undefined {
    return this.#failure;
  }

  ready(): boolean {
    return this.#failure !== undefined || this.capacity() > 0;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const batch = Buffer.concat(this.#waiting.splice(0));
        if (this.#offset === undefined) {
          await append(this.#node, batch);
        } else {
          await writeAt(this.#node.fd, batch, this.#offset);
          this.#offset += batch.length;
        }
        this.#waitingBytes -= batch.length;
        this.#listeners.notify();
      }
    } catch (error) {
      const code = fileErrorOf(error);
      this.#failure = { kind: "broken", message: `writing the file failed: ${code}`, cause: { kind: "file", code } };
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    this.#busy = false;
    this.#listeners.notify();
  }
}

/** Writes all of it. `offset` null = where the descriptor stands. */
async function writeAt(fd: number, bytes: Uint8Array, offset: number | null): Promise<void> {
  if (offset !== null && offset + bytes.length > Number.MAX_SAFE_INTEGER) {
    throw new FileFault("file-too-large", "no file is that long");
  }
  for (let written = 0; written < bytes.length;) {
    const byteCount = await write(fd, bytes.subarray(written), offset === null ? null : offset + written);
    if (byteCount === 0) throw new FileFault("io", "the file takes no more bytes");
    written += byteCount;
  }
}

/**
 * Through a descriptor of its own with O_APPEND, so that writers which append at the same time do not overwrite each
 * other. Without /proc there is no way to such a descriptor of this very file: there the end is looked up and written at.
 */
async function append(node: OpenNode, bytes: Uint8Array): Promise<void> {
  if (node.reach === "path") {
    await writeAt(node.fd, bytes, Number((await fstat(node.fd)).size));
    return;
  }
  const fd = await open(node.path, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK);
  try {
    await writeAt(fd, bytes, null);
  } finally {
    await close(fd);
  }
}
