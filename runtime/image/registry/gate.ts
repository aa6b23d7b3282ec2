/**
 * Lets claims run side by side, and a removal only when none of them runs: what a claim has found is still there when
 * it has written down that it needs it. Both are short; no body is received behind the gate.
 */
export class Gate {
  #claims = 0;
  #closed: Promise<void> | undefined;
  #whenEmpty: (() => void) | undefined;

  async claim<Value>(act: () => Promise<Value>): Promise<Value> {
    while (this.#closed !== undefined) await this.#closed;
    this.#claims++;
    try {
      return await act();
    } finally {
      if (--this.#claims === 0) this.#whenEmpty?.();
    }
  }

  async alone<Value>(act: () => Promise<Value>): Promise<Value> {
    while (this.#closed !== undefined) await this.#closed;
    const opened = Promise.withResolvers<void>();
    this.#closed = opened.promise;
    try {
      if (this.#claims > 0) {
        await new Promise<void>((resolve) => {
          this.#whenEmpty = resolve;
        });
      }
      return await act();
    } finally {
      this.#whenEmpty = undefined;
      this.#closed = undefined;
      opened.resolve();
    }
  }
}
