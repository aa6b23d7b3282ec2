// Two hundred uploads whose pods have not begun to read yet; each is there for a turn or two of the pod's event loop.
const keptBytesMax = 64 * 1024 * 1024;

/** Bounds what all requests together keep of their bodies beyond the little that each may. */
export class KeptBytes {
  #left = keptBytesMax;

  /** @returns false when all of it is taken */
  take(byteCount: number): boolean {
    if (byteCount > this.#left) return false;
    this.#left -= byteCount;
    return true;
  }

  give(byteCount: number): void {
    this.#left += byteCount;
  }
}
