import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";

// A component is copied in pieces of this size: two for most.
const pieceBytes = 1 << 20;

let made = 0;

/**
 * What a jail gets to read: a file without a name, which it has open before anybody knows what will be in it. Through a pipe
 * both sides would copy a component in small pieces, while somebody waits.
 */
export class JailInput implements AsyncDisposable {
  readonly #written: FileHandle;
  readonly #read: FileHandle;

  private constructor(written: FileHandle, read: FileHandle) {
    this.#written = written;
    this.#read = read;
  }

  /** Nothing of it is left in the directory. @throws the error of the file system */
  static async make(directory: string): Promise<JailInput> {
    const path = join(directory, `jail-${process.pid}-${made++}`);
    const written = await open(path, "w", 0o600);
    try {
      return new JailInput(written, await open(path, "r"));
    } catch (error) {
      await written.close();
      throw error;
    } finally {
      await rm(path, { force: true });
    }
  }

  /** For the jail, which can only read by it. */
  get descriptor(): number {
    return this.#read.fd;
  }

  /** The jail has the descriptor. */
  async given(): Promise<void> {
    await this.#read.close();
  }

  /** Copies the file into it. Once. */
  async fill(file: FileHandle): Promise<void> {
    const piece = Buffer.allocUnsafeSlow(pieceBytes);
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(piece, 0, pieceBytes, at);
      if (bytesRead === 0) return;
      await this.#written.writeFile(piece.subarray(0, bytesRead));
      at += bytesRead;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#written.close();
  }
}
