/** Characters, as a client's terminal has them. */
interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Each open terminal has an entry; ids of what is gone are forgotten with its last listener. */
const terminalsMax = 4096;

/** Sizes of terminals, which clients tell in requests of their own, by the id of the container or command. */
export class Terminals {
  readonly #sizes = new Map<string, Size>();
  readonly #listeners = new Map<string, Set<(columns: number, rows: number) => void>>();

  resize(id: string, size: Size): void {
    if (size.columns < 1 || size.rows < 1 || size.columns > 65_535 || size.rows > 65_535) return;
    if (!this.#sizes.has(id) && this.#sizes.size >= terminalsMax) this.#sizes.clear();
    this.#sizes.set(id, size);
    for (const listener of this.#listeners.get(id) ?? []) listener(size.columns, size.rows);
  }

  /** Calls back with the size that is known, and with each that comes, until the signal is aborted. */
  onSize(id: string, resized: (columns: number, rows: number) => void, signal: AbortSignal): void {
    const known = this.#sizes.get(id);
    if (known !== undefined) resized(known.columns, known.rows);
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(resized));
    signal.addEventListener(
      "abort",
      () => {
        listeners.delete(resized);
        if (listeners.size > 0) return;
        this.#listeners.delete(id);
        this.#sizes.delete(id);
      },
      { once: true },
    );
  }
}
