import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/**
 * A log file of bounded size: when `bytesMax` is reached it becomes `PATH.1`, and a new one begins. Two files at most.
 * Written synchronously: these are the logs that explain a crash.
 */
export class RotatingFile implements Disposable {
  readonly #path: string;
  readonly #bytesMax: number;
  #descriptor: number;
  #bytes: number;

  constructor(path: string, bytesMax: number) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#descriptor = openSync(path, "a", 0o600);
    this.#bytes = fstatSync(this.#descriptor).size;
  }

  write(chunk: Uint8Array): void {
    if (this.#bytes > 0 && this.#bytes + chunk.length > this.#bytesMax) this.#rotate();
    writeSync(this.#descriptor, chunk);
    this.#bytes += chunk.length;
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #rotate(): void {
    closeSync(this.#descriptor);
    renameSync(this.#path, `${this.#path}.1`);
    this.#descriptor = openSync(this.#path, "a", 0o600);
    this.#bytes = 0;
  }
}
