/** Counts the requests that wait in all queues together. */
export class WaitBudget {
  readonly #max: number;
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get used(): number {
    return this.#used;
  }

  take(): boolean {
    if (this.#used >= this.#max) return false;
    this.#used++;
    return true;
  }

  give(): void {
    this.#used--;
  }
}

/** First in, first out, bounded; whoever leaves early is taken out at once. */
export class WaitQueue<T> {
  readonly #depthMax: number;
  readonly #budget: WaitBudget;
  // A Set keeps the order of insertion and removes from the middle in constant time.
  readonly #items = new Set<T>();

  constructor(depthMax: number, budget: WaitBudget) {
    this.#depthMax = depthMax;
    this.#budget = budget;
  }

  get length(): number {
    return this.#items.size;
  }

  /** @returns false when this queue or all together are full. */
  push(item: T): boolean {
    if (this.#items.size >= this.#depthMax || !this.#budget.take()) return false;
    this.#items.add(item);
    return true;
  }

  shift(): T | undefined {
    const { value, done } = this.#items.values().next();
    if (done === true) return undefined;
    this.delete(value);
    return value;
  }

  /** @returns false when it was not waiting. */
  delete(item: T): boolean {
    if (!this.#items.delete(item)) return false;
    this.#budget.give();
    return true;
  }
}
