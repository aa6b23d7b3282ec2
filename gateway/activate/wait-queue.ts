/** How one queue is bounded. */
export interface QueueRules {
  readonly depthMax: number;
  /** Who is refused when there is no room: the one that comes, or the one that has waited longest. */
  readonly sheds: "newest" | "oldest";
}

/**
 * Counts the requests that wait in all queues together. When there is no room for another, whoever has most gives up one:
 * of tenants the one with the most requests, of its queues the longest. So nobody is kept out by a crowd of others.
 */
export class WaitBudget {
  readonly #max: number;
  readonly #tenants = new Map<string, { waiting: number; readonly queues: Set<Sheddable> }>();
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get used(): number {
    return this.#used;
  }

  /** Room for one more in `queue`. @returns false when `queue` itself is the one that has most */
  take(queue: Sheddable): boolean {
    if (this.#used >= this.#max && !this.#makeRoom(queue)) return false;
    const tenant = this.#tenants.get(queue.tenant) ?? { waiting: 0, queues: new Set() };
    this.#tenants.set(queue.tenant, tenant);
    tenant.waiting++;
    tenant.queues.add(queue);
    this.#used++;
    return true;
  }

  give(queue: Sheddable): void {
    const tenant = this.#tenants.get(queue.tenant);
    if (tenant === undefined) return;
    tenant.waiting--;
    if (queue.length === 0) tenant.queues.delete(queue);
    if (tenant.waiting === 0) this.#tenants.delete(queue.tenant);
    this.#used--;
  }

  // Looks at every tenant, and every queue of one: there are some thousand, and this is a gateway that refuses requests.
  #makeRoom(queue: Sheddable): boolean {
    const own = this.#tenants.get(queue.tenant);
    let most = own;
    for (const tenant of this.#tenants.values()) if (tenant.waiting > (most?.waiting ?? 0) + 1) most = tenant;
    let longest = most === own ? queue : undefined;
    for (const one of most?.queues ?? [])
      if (one.length > (longest?.length ?? 0) + (longest === queue ? 1 : 0)) longest = one;
    if (longest === undefined || longest === queue) return false;
    longest.shed();
    return true;
  }
}

/** A queue as the budget sees it. */
export interface Sheddable {
  /** The namespace of the revision. */
  readonly tenant: string;
  readonly length: number;
  /** Refuses one that waits, by the queue's own rule. */
  shed(): void;
}

export interface WaitQueueOptions<T> {
  readonly tenant: string;
  readonly rules: QueueRules;
  readonly budget: WaitBudget;
  /** An item has been taken out for want of room. */
  readonly shed: (item: T) => void;
}

/** So few that have left are not worth tidying up. */
const pushedSlack = 64;

/** First in, first out, bounded; whoever leaves early is taken out at once. */
export class WaitQueue<T> implements Sheddable {
  readonly #options: WaitQueueOptions<T>;
  #rules: QueueRules;
  // A Set keeps the order of insertion and removes from the middle in constant time.
  readonly #items = new Set<T>();
  // The newest last, with some that have left: a Set does not tell its last one.
  #pushed: T[] = [];

  constructor(options: WaitQueueOptions<T>) {
    this.#options = options;
    this.#rules = options.rules;
  }

  get tenant(): string {
    return this.#options.tenant;
  }

  get length(): number {
    return this.#items.size;
  }

  /** Who is next. */
  get first(): T | undefined {
    return this.#items.values().next().value;
  }

  /** New rules hold for those that come from now on. */
  limit(rules: QueueRules): void {
    this.#rules = rules;
  }

  /** @returns false when there is no room, and the item is the one that is refused. */
  push(item: T): boolean {
    const isFull = this.#items.size >= this.#rules.depthMax;
    if (isFull || !this.#options.budget.take(this)) {
      if (this.#rules.sheds === "newest" || this.#items.size === 0) return false;
      this.shed();
      if (!this.#options.budget.take(this)) return false;
    }
    this.#items.add(item);
    this.#pushed.push(item);
    if (this.#pushed.length > 2 * this.#items.size + pushedSlack) this.#pushed = [...this.#items];
    return true;
  }

  shed(): void {
    const item = this.#rules.sheds === "oldest" ? this.first : this.#newest();
    if (item === undefined) return;
    this.delete(item);
    this.#options.shed(item);
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
    this.#options.budget.give(this);
    return true;
  }

  #newest(): T | undefined {
    for (let item = this.#pushed.pop(); item !== undefined; item = this.#pushed.pop())
      if (this.#items.has(item)) return item;
    return undefined;
  }
}
