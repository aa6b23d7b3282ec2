import { describe, expect, test } from "vitest";
import { cancelOf } from "../../abi/stream.ts";
import { ByteQueue } from "../byte-queue.ts";
import type { ByteSink, SinkFailure } from "../byte-sink.ts";
import { testContext } from "../context.fixture.ts";
import { Listeners } from "../waitable.ts";
import { ByteReader } from "./byte-reader.ts";
import { pour } from "./pour.ts";
import { bytes, readText, WrittenStream } from "./reader.fixture.ts";
import { notYet, whenReady } from "./waiting.ts";

const { context } = testContext();

describe("a stream that the host writes", () => {
  function opened(): { queue: ByteQueue; reader: ByteReader<string>; releases: () => number } {
    const queue = new ByteQueue();
    let count = 0;
    const reader = new ByteReader<string>(context, {
      source: queue,
      release: () => count++,
      codeOf: (cause) => cause?.kind ?? "io",
    });
    return { queue, reader, releases: () => count };
  }

  test("gives what is there at once, and no more than is asked for", () => {
    const { queue, reader } = opened();
    queue.push(bytes("hello"));
    expect(reader.read(2)).toEqual(bytes("he"));
    expect(reader.read(9)).toEqual(bytes("llo"));
  });

  test("waits for bytes and for its end, which releases the source once", async () => {
    const { queue, reader, releases } = opened();
    const first = reader.read(9);
    queue.push(bytes("a"));
    expect(await first).toEqual(bytes("a"));
    const last = reader.read(9);
    queue.end();
    expect(await last).toBeUndefined();
    reader.drop();
    expect([await reader.outcome, releases()]).toEqual([{ tag: "ok", val: undefined }, 1]);
  });

  test("that breaks says so in its future", async () => {
    const { queue, reader } = opened();
    const reading = reader.read(9);
    queue.fail("broken", { kind: "network", code: "connection-reset" });
    expect(await reading).toBeUndefined();
    expect(await reader.outcome).toEqual({ tag: "err", val: "network" });
  });

  test("may be dropped while it is read: that ended well", async () => {
    const { reader, releases } = opened();
    const reading = reader.read(9);
    reader.drop();
    expect(await reading).toBeUndefined();
    expect([await reader.outcome, reader.read(1), releases()]).toEqual([{ tag: "ok", val: undefined }, undefined, 1]);
  });
});

class Sink implements ByteSink {
  readonly written: string[] = [];
  readonly #listeners = new Listeners();
  room = 4;
  failed: SinkFailure | undefined;

  capacity(): number {
    return this.room;
  }

  write(content: Uint8Array): void {
    this.written.push(Buffer.from(content).toString());
    this.room -= content.length;
  }

  flushed(): boolean {
    return this.room > 0;
  }

  failure(): SinkFailure | undefined {
    return this.failed;
  }

  ready(): boolean {
    return this.room > 0 || this.failed !== undefined;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  change(change: Partial<Pick<Sink, "room" | "failed">>): void {
    Object.assign(this, change);
    this.#listeners.notify();
  }
}

describe("a stream that the guest writes", () => {
  test("is taken as fast as there is room, and is done when it is flushed", async () => {
    const sink = new Sink();
    const poured = pour(context, WrittenStream.of("abcdef", "gh"), sink);
    await new Promise(setImmediate);
    expect(sink.written).toEqual(["abcd"]);
    sink.change({ room: 4 });
    await new Promise(setImmediate);
    expect(sink.written).toEqual(["abcd", "ef", "gh"]);
    let isDone = false;
    void poured.then(() => (isDone = true));
    await new Promise(setImmediate);
    expect(isDone).toBe(false);
    sink.change({ room: 1 });
    expect(await poured).toBeUndefined();
  });

  test("is dropped when the sink fails, also while the guest writes nothing", async () => {
    const [sink, stream] = [new Sink(), new WrittenStream()];
    const poured = pour(context, stream, sink);
    await new Promise(setImmediate);
    sink.change({ failed: { kind: "closed" } });
    expect([await poured, stream.isDropped]).toEqual([{ kind: "closed" }, true]);
  });

  test("of a guest that fails rejects", async () => {
    const reader = { read: () => Promise.reject(new Error("gone")), drop: () => undefined };
    await expect(pour(context, reader, new Sink())).rejects.toThrow("gone");
  });
});

describe("waiting", () => {
  test("is not done for what is ready, and goes on while somebody else was faster", async () => {
    const queue = new ByteQueue();
    const take = (): string | typeof notYet => (queue.finished ? "end" : notYet);
    queue.push(bytes("x"));
    const waiting = whenReady(context, queue, take);
    queue.read(1);
    queue.end();
    expect(await waiting).toBe("end");
    expect(whenReady(context, queue, take)).toBe("end");
  });

  test("can be cancelled: then nothing is asked any more", async () => {
    const queue = new ByteQueue();
    const asked: string[] = [];
    const waiting = whenReady(
      context,
      queue,
      () => asked.push("answer"),
      () => asked.push("cancel"),
    );
    cancelOf(waiting as Promise<number>)?.();
    queue.end();
    await new Promise(setImmediate);
    expect(asked).toEqual(["cancel"]);
  });

  test("an answer that fails is a wait that fails, and no other listener's error", async () => {
    const queue = new ByteQueue();
    const waiting = whenReady(context, queue, () => {
      throw new Error("too much");
    });
    queue.end();
    await expect(waiting).rejects.toThrow("too much");
  });

  test("is forgotten when the instance ends", () => {
    const { context: ending, clock } = testContext();
    const queue = new ByteQueue();
    let count = 0;
    void whenReady(ending, queue, () => count++);
    ending.end();
    queue.end();
    expect([count, clock.nowMs()]).toEqual([0, clock.nowMs()]);
  });
});

test("everything reads to its end through small reads", async () => {
  const queue = new ByteQueue();
  queue.push(bytes("0123456789"));
  queue.end();
  const reader = new ByteReader(context, { source: queue, release: () => undefined, codeOf: () => "io" });
  expect(await readText(reader, 3)).toBe("0123456789");
});
