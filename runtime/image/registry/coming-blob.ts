import { type FileHandle, open, rm } from "node:fs/promises";
import { type ContentStore, type Descriptor, digestAlgorithm, Digester } from "@shallop/sdk/image";

/** Per read: as the store reads. */
const readBytes = 256 * 1024;

interface ComingBlobParts {
  readonly store: ContentStore;
  readonly blob: Descriptor;
}

/**
 * A blob on its way from another registry: written to a file once, read from it by all who want it while it grows. The
 * source holds its last chunk back until digest and size are right, so nobody gets all the bytes of a wrong blob.
 */
export class ComingBlob {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #store: ContentStore;
  readonly #blob: Descriptor;
  #isClosed = false;
  #written = 0;
  #outcome: { readonly error: unknown } | "whole" | undefined;
  #changed = Promise.withResolvers<void>();
  #readers = 0;

  private constructor(path: string, file: FileHandle, { store, blob }: ComingBlobParts) {
    this.#path = path;
    this.#file = file;
    this.#store = store;
    this.#blob = blob;
  }

  static async create(path: string, parts: ComingBlobParts): Promise<ComingBlob> {
    return new ComingBlob(path, await open(path, "wx+", 0o444), parts);
  }

  get sizeBytes(): number {
    return this.#blob.size;
  }

  /** It will not come whole any more: who asks now asks for another. */
  get hasFailed(): boolean {
    return this.#outcome !== undefined && this.#outcome !== "whole";
  }

  /** Writes what `source` gives, and hands the whole to the store. @throws what the source and the store throw */
  async fill(source: AsyncIterable<Uint8Array>): Promise<void> {
    const digester = new Digester(digestAlgorithm(this.#blob.digest));
    try {
      for await (const chunk of source) {
        digester.update(chunk);
        await this.#file.appendFile(chunk);
        this.#written += chunk.length;
        this.#wake();
      }
      await this.#store.adopt(this.#path, this.#blob, digester);
      this.#outcome = "whole";
    } catch (error) {
      this.#outcome = { error };
      throw error;
    } finally {
      this.#wake();
      await rm(this.#path, { force: true });
      await this.#closeWhenUnused();
    }
  }

  /** All of it, as it comes. @throws what `fill` throws */
  async *open(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#isClosed && this.#outcome === "whole") {
      yield* await this.#store.read(this.#blob);
      return;
    }
    this.#readers++;
    try {
      for (let position = 0; position < this.sizeBytes;) {
        const changed = this.#changed.promise;
        const length = Math.min(readBytes, this.#written - position);
        if (length > 0) {
          const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, position);
          position += bytesRead;
          yield buffer.subarray(0, bytesRead);
        } else if (this.#outcome === undefined) await changed;
        else if (this.#outcome === "whole") return;
        else throw this.#outcome.error;
      }
    } finally {
      this.#readers--;
      await this.#closeWhenUnused();
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async #closeWhenUnused(): Promise<void> {
    if (this.#readers > 0 || this.#outcome === undefined || this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }
}
