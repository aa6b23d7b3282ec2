/**
 * What one watcher still has to be sent, bounded. Producers push synchronously; one consumer takes whatever has
 * gathered, so a burst becomes one write.
 */
export class EventQueue<T> {
  readonly #max: number;
  #items: T[] = [];
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** Returns false, and takes nothing more, once the consumer is `max` items behind. */
  push(item: T): boolean {
    if (this.#closed) return false;
    if (this.#items.length >= this.#max) {
      this.close();
      return false;
    }
    this.#items.push(item);
    this.#wake?.();
    return true;
  }

  /** Nothing more comes; what is queued is still taken. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** What has gathered, as soon as there is something; undefined after the last. One caller at a time. */
  async take(): Promise<T[] | undefined> {
    while (this.#items.length === 0) {
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    const items = this.#items;
    this.#items = [];
    return items;
  }
}
