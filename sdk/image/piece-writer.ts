import type { FileHandle } from "node:fs/promises";

/** What may wait for the disk, of one file: nobody is read faster than that is written. */
const waitingBytesMax = 1024 * 1024;

/** Writes chunks as they come; those that come while it writes are written together. */
export class PieceWriter {
  readonly #file: FileHandle;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** Rejects when a write failed; then nothing more is written. */
  #writing: Promise<void> | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Resolves when more may come. The chunk is the writer's from now on. @throws errors of the file system, of earlier chunks too */
  async write(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#writing ??= this.#drain();
    if (this.#bytes >= waitingBytesMax) await this.#writing;
  }

  /** Resolves when all is written. @throws errors of the file system */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #drain(): Promise<void> {
    const drained = this.#writeAll().then(() => {
      this.#writing = undefined;
    });
    // Its failure is seen by who waits for it next.
    drained.catch(() => undefined);
    return drained;
  }

  async #writeAll(): Promise<void> {
    while (this.#chunks.length > 0) {
      const chunks = this.#chunks;
      this.#chunks = [];
      this.#bytes = 0;
      await writeChunks(this.#file, chunks);
    }
  }
}

async function writeChunks(file: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await file.writev(chunks);
  // A disk that is nearly full takes a part; the rest says why.
  if (bytesWritten < total) await file.writeFile(Buffer.concat(chunks).subarray(bytesWritten));
}
