import { describe, expect, test } from "vitest";
import { ByteQueue } from "./byte-queue.ts";
import type { ByteSink, SinkFailure } from "./byte-sink.ts";
import { testContext } from "./context.fixture.ts";
import { InputStream } from "./input-stream.ts";
import { OutputStream } from "./output-stream.ts";
import { Listeners } from "./waitable.ts";

/** A sink with a reader that takes bytes when told to. */
class SlowSink implements ByteSink {
  readonly taken: number[] = [];
  readonly #listeners = new Listeners();
  #waiting: number[] = [];
  #failure: SinkFailure | undefined;

  capacity(): number {
    return Math.max(0, 4 - this.#waiting.length);
  }
  write(bytes: Uint8Array): void {
    this.#waiting.push(...bytes);
  }
  flushed(): boolean {
    return this.#waiting.length === 0;
  }
  failure(): SinkFailure | undefined {
    return this.#failure;
  }
  ready(): boolean {
    return this.capacity() > 0 || this.#failure !== undefined;
  }
  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }
  take(): void {
    this.taken.push(...this.#waiting.splice(0));
    this.#listeners.notify();
  }
  fail(failure: SinkFailure): void {
    this.#failure = failure;
    this.#listeners.notify();
  }
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("input-stream", () => {
  test("reads what is there at once, in parts, and gives back credit for each", () => {
    const consumed: number[] = [];
    const queue = new ByteQueue((count) => consumed.push(count));
    const stream = new InputStream(testContext().context, queue);
    queue.push(bytes(1, 2, 3));
    expect(stream.blockingRead(2n)).toEqual({ tag: "ok", val: bytes(1, 2) });
    expect(stream.read(9n)).toEqual({ tag: "ok", val: bytes(3) });
    expect(stream.read(9n)).toEqual({ tag: "ok", val: bytes() });
    expect(consumed).toEqual([2, 1]);
  });

  test("waits for bytes, and says closed after the last", async () => {
    const queue = new ByteQueue();
    const stream = new InputStream(testContext().context, queue);
    const read = stream.blockingRead(10n);
    queue.push(bytes(7));
    queue.end();
    expect(await read).toEqual({ tag: "ok", val: bytes(7) });
    expect(stream.read(1n)).toEqual({ tag: "err", val: { tag: "closed" } });
  });

  test("a body that broke is an error, not an end", () => {
    const queue = new ByteQueue();
    const stream = new InputStream(testContext().context, queue);
    queue.push(bytes(1));
    queue.fail("the client left");
    const result = stream.read(1n);
    expect(result.tag === "err" && result.val.tag).toBe("last-operation-failed");
  });

  test("asked for 2^64 bytes it gives what is there", () => {
    const queue = new ByteQueue();
    const stream = new InputStream(testContext().context, queue);
    queue.push(bytes(1, 2));
    expect(stream.read(2n ** 64n - 1n)).toEqual({ tag: "ok", val: bytes(1, 2) });
  });

  test("a dropped reader lets the sender go on", () => {
    let consumed = 0;
    const queue = new ByteQueue((count) => (consumed += count));
    queue.push(bytes(1, 2));
    queue.discard();
    queue.push(bytes(3));
    expect(consumed).toBe(3);
  });
});

describe("output-stream", () => {
  test("a write that fits returns without waiting", () => {
    const sink = new SlowSink();
    const stream = new OutputStream(testContext().context, sink);
    expect(stream.checkWrite()).toEqual({ tag: "ok", val: 4n });
    expect(stream.write(bytes(1, 2))).toEqual({ tag: "ok", val: undefined });
    expect(stream.checkWrite()).toEqual({ tag: "ok", val: 2n });
  });

  test("traps when more is written than was allowed", () => {
    const stream = new OutputStream(testContext().context, new SlowSink());
    expect(() => stream.write(bytes(1, 2, 3, 4, 5))).toThrow("check-write");
    expect(() => stream.writeZeroes(5n)).toThrow("check-write");
  });

  test("a blocking write of any length waits for its reader, and loses nothing", async () => {
    const sink = new SlowSink();
    const stream = new OutputStream(testContext().context, sink);
    let isDone = false;
    const written = Promise.resolve(stream.blockingWriteAndFlush(bytes(1, 2, 3, 4, 5, 6, 7, 8, 9))).then((result) => {
      isDone = true;
      return result;
    });
    for (let round = 0; round < 3; round++) {
      await new Promise(setImmediate);
      expect(isDone).toBe(false);
      sink.take();
    }
    expect(await written).toEqual({ tag: "ok", val: undefined });
    expect(sink.taken).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("a reader that is gone ends a write that waits", async () => {
    const sink = new SlowSink();
    const stream = new OutputStream(testContext().context, sink);
    const written = stream.blockingWriteAndFlush(bytes(1, 2, 3, 4, 5));
    await new Promise(setImmediate);
    sink.fail({ kind: "closed" });
    expect(await written).toEqual({ tag: "err", val: { tag: "closed" } });
  });

  test("splices what both sides have room for", () => {
    const sink = new SlowSink();
    const { context } = testContext();
    const queue = new ByteQueue();
    queue.push(bytes(1, 2, 3, 4, 5, 6));
    const source = new InputStream(context, queue);
    expect(new OutputStream(context, sink).splice(source, 100n)).toEqual({ tag: "ok", val: 4n });
    sink.take();
    expect(sink.taken).toEqual([1, 2, 3, 4]);
  });
});
