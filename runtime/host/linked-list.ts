/** What can be in one `LinkedList` at a time. */
export interface Linked<Item> {
  /** For the list. */
  previous: Item | undefined;
  next: Item | undefined;
}

/**
 * Items in the order in which they came, of which each leaves at its own time. What comes and goes with every request is kept in
 * this and not in a Set: V8 makes a Set a new table after a few changes and leaves in the old one a pointer to the new; one of them that
 * has grown old keeps alive all that follow, with what was in them, until the whole heap is collected.
 */
export class LinkedList<Item extends Linked<Item>> implements Iterable<Item> {
  #first: Item | undefined;
  #last: Item | undefined;
  #size = 0;

  get first(): Item | undefined {
    return this.#first;
  }

  get last(): Item | undefined {
    return this.#last;
  }

  get size(): number {
    return this.#size;
  }

  /** `item` is in no list. */
  push(item: Item): void {
    this.insertAfter(this.#last, item);
  }

  /** `previous` is in this list, or undefined for a place before all; `item` is in none. */
  insertAfter(previous: Item | undefined, item: Item): void {
    const next = previous === undefined ? this.#first : previous.next;
    item.previous = previous;
    item.next = next;
    if (previous === undefined) this.#first = item;
    else previous.next = item;
    if (next === undefined) this.#last = item;
    else next.previous = item;
    this.#size++;
  }

  /** False when it was not in the list. */
  remove(item: Item): boolean {
    const { previous, next } = item;
    if (previous === undefined && this.#first !== item) return false;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    // One that is kept by somebody shall keep no others.
    item.previous = undefined;
    item.next = undefined;
    this.#size--;
    return true;
  }

  /** Those that are there now: the list may change meanwhile. */
  [Symbol.iterator](): IterableIterator<Item> {
    const items: Item[] = [];
    for (let item = this.#first; item !== undefined; item = item.next) items.push(item);
    return items.values();
  }
}
