interface Shared<Value> {
  readonly result: Promise<Value>;
  readonly controller: AbortController;
  waiters: number;
}

/** One piece of work per key at a time, shared by all who want it; stopped when the last of them has gone. */
export class SharedWork<Value> {
  readonly #running = new Map<string, Shared<Value>>();

  /** Resolves as `work` does, for all who ask meanwhile. Rejects with `signal.reason` for who is aborted. */
  async run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
    signal.throwIfAborted();
    const shared = this.#running.get(key) ?? this.#start(key, work);
    shared.waiters++;
    const gone = Promise.withResolvers<never>();
    const leave = (): void => gone.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([shared.result, gone.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      if (--shared.waiters === 0) {
        // A late comer must not join what is being stopped.
        if (this.#running.get(key) === shared) this.#running.delete(key);
        shared.controller.abort(new Error("nobody waits for it any more"));
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<Value>): Shared<Value> {
    const controller = new AbortController();
    const result = work(controller.signal).finally(() => {
      if (this.#running.get(key)?.controller === controller) this.#running.delete(key);
    });
    result.catch(() => undefined);
    const shared: Shared<Value> = { result, controller, waiters: 0 };
    this.#running.set(key, shared);
    return shared;
  }
}
