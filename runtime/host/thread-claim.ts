/**
 * Whose a thread at rest is to be. Its process gives it to a pod that starts, and it becomes one by itself when somebody
 * connects to the socket of a pod that it stands by for: the first of both has it.
 */
export class ThreadClaim {
  readonly #cell: Int32Array<SharedArrayBuffer>;

  constructor(shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.#cell = new Int32Array(shared);
  }

  /** For the other thread. */
  get shared(): SharedArrayBuffer {
    return this.#cell.buffer;
  }

  /** @returns false when somebody else has it */
  take(): boolean {
    return Atomics.compareExchange(this.#cell, 0, 0, 1) === 0;
  }

  /** It is at rest again. */
  giveBack(): void {
    Atomics.store(this.#cell, 0, 0);
  }
}
