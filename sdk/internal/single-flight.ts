/** Runs one call per key at a time; whoever asks meanwhile gets the promise of the call under way. */
export class SingleFlight<Key, Value> {
  readonly #running = new Map<Key, Promise<Value>>();

  run(key: Key, call: () => Promise<Value>): Promise<Value> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = call().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }

  /** How many keys have a call under way. */
  get size(): number {
    return this.#running.size;
  }
}
