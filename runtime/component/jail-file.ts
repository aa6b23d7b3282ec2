import { readSync, writeFileSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";

// A component is copied in pieces of this size, two for most, each in half a millisecond: others have their turn in between.
const pieceBytes = 1 << 20;

let made = 0;

/**
 * A file without a name that a jail has open since before anybody knew what would be in it: it reads its component from one and writes what it
 * makes of it into another. Through pipes both sides would copy that in small pieces, while somebody waits.
 */
export class JailFile implements AsyncDisposable {
  readonly #ours: FileHandle;
  readonly #theirs: FileHandle;

  private constructor(ours: FileHandle, theirs: FileHandle) {
    this.#ours = ours;
    this.#theirs = theirs;
  }

  /** Nothing of it is left in the directory. @throws the error of the file system */
  static async make(directory: string, jail: "reads" | "writes"): Promise<JailFile> {
    const path = join(directory, `jail-${process.pid}-${made++}`);
    const written = await open(path, "w", 0o600);
    try {
      const read = await open(path, "r");
      return jail === "reads" ? new JailFile(written, read) : new JailFile(read, written);
    } catch (error) {
      await written.close();
      throw error;
    } finally {
      await rm(path, { force: true });
    }
  }

  /** For the jail, which can do nothing else by it. */
  get descriptor(): number {
    return this.#theirs.fd;
  }

  /** The jail has the descriptor. */
  async given(): Promise<void> {
    await this.#theirs.close();
  }

  /** Copies a file into it. Once. */
  async fill(file: FileHandle): Promise<void> {
    const piece = Buffer.allocUnsafeSlow(pieceBytes);
    for (let at = 0; ; await setImmediate()) {
      // What came a moment ago is in memory: turns through the threads that read files take longer.
      const length = readSync(file.fd, piece, 0, pieceBytes, at);
      if (length === 0) return;
      writeFileSync(this.#ours.fd, piece.subarray(0, length));
      at += length;
    }
  }

  /** Bytes that are in it now. */
  async size(): Promise<number> {
    return (await this.#ours.stat()).size;
  }

  /** A copy of what is in it: who writes there cannot change it any more. At most `bytesMax` of it. */
  async contents(bytesMax: number): Promise<Buffer> {
    const copy = Buffer.allocUnsafeSlow(Math.min(bytesMax, await this.size()));
    let length = 0;
    while (length < copy.length) {
      const { bytesRead } = await this.#ours.read(copy, length, copy.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return copy.subarray(0, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ours.close();
  }
}
