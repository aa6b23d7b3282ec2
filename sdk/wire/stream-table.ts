import type { WireStream } from "./stream.ts";

// A connection has a dozen streams as a rule, and a thousand at most.
const bucketCount = 64;

/**
 * The open streams of a connection, by their numbers. No Map: V8 makes one a new table every few changes and leaves a pointer to it in the old
 * one, which keeps what comes after it from being collected with what is young; and streams come and go with every request.
 */
export class StreamTable implements Iterable<WireStream> {
  readonly #buckets: (WireStream | undefined)[] = Array.from({ length: bucketCount }, () => undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): WireStream | undefined {
    let stream = this.#buckets[bucketOf(id)];
    while (stream !== undefined && stream.id !== id) stream = stream.next;
    return stream;
  }

  /** Of a number that none of those has which are there. */
  add(stream: WireStream): void {
    const bucket = bucketOf(stream.id);
    stream.next = this.#buckets[bucket];
    this.#buckets[bucket] = stream;
    this.#size++;
  }

  delete(id: number): void {
    const bucket = bucketOf(id);
    let before: WireStream | undefined;
    let stream = this.#buckets[bucket];
    while (stream !== undefined && stream.id !== id) {
      before = stream;
      stream = stream.next;
    }
    if (stream === undefined) return;
    if (before === undefined) this.#buckets[bucket] = stream.next;
    else before.next = stream.next;
    // One that somebody keeps shall keep no others.
    stream.next = undefined;
    this.#size--;
  }

  /** Those that are there now, in the order of their numbers. */
  [Symbol.iterator](): IterableIterator<WireStream> {
    const streams: WireStream[] = [];
    for (const first of this.#buckets)
      for (let stream = first; stream !== undefined; stream = stream.next) streams.push(stream);
    return streams.sort((a, b) => a.id - b.id).values();
  }
}

/** Numbers are odd, and follow each other. */
const bucketOf = (id: number): number => (id >>> 1) % bucketCount;
