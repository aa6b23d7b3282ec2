import { describe, expect, test } from "vitest";
import { type FutureReader, type StreamReader } from "../abi/stream.ts";
import { blocked, cancelled, completed, dropped, type Puppet, puppets } from "../testing/puppet.ts";

const streamRead = 2;
const streamWrite = 3;

describe("a stream between two components", () => {
  async function pair(item?: string): Promise<{ a: Puppet; b: Puppet; r: number; w: number }> {
    const [a, b] = await puppets(item === undefined ? {} : { item });
    const [readable, w] = a.ends("new-stream");
    const r = b.call("take-stream", a.call("give-stream", readable)) as number;
    return { a, b, r, w };
  }

  test("a write waits for a read, and the other way round", async () => {
    const { a, b, r, w } = await pair();
    a.poke(64, 0x04030201);
    expect(a.call("write", w, 64, 4)).toBe(blocked);
    expect(b.call("read", r, 128, 4)).toBe(completed(4));
    expect(b.peek(128)).toBe(0x04030201);
    expect(b.call("read", r, 132, 2)).toBe(blocked);
  });

  test("a read of less than is written leaves the rest, until the writer takes its event", async () => {
    const { a, b, r, w } = await pair();
    const set = a.call("set-new") as number;
    a.call("join", w, set);
    a.poke(64, 0x04030201);
    a.call("write", w, 64, 4);
    expect(b.call("read", r, 128, 1)).toBe(completed(1));
    expect(b.call("read", r, 129, 2)).toBe(completed(2));
    expect(a.poll(set)).toEqual([streamWrite, w, completed(3)]);
    expect(b.call("read", r, 131, 1)).toBe(blocked);
    expect(b.peek(128)).toBe(0x00030201);
  });

  test("a write of more than is read says how much it was", async () => {
    const { a, b, r, w } = await pair();
    const set = b.call("set-new") as number;
    b.call("join", r, set);
    expect(b.call("read", r, 128, 2)).toBe(blocked);
    expect(a.call("write", w, 64, 8)).toBe(completed(2));
    expect(b.poll(set)).toEqual([streamRead, r, completed(2)]);
    expect(b.poll(set)).toBeUndefined();
  });

  test("one end is told that the other is gone, with what was copied before", async () => {
    const { a, b, r, w } = await pair();
    const set = b.call("set-new") as number;
    b.call("join", r, set);
    b.call("read", r, 128, 8);
    a.call("write", w, 64, 3);
    a.call("drop-writable", w);
    expect(b.poll(set)).toEqual([streamRead, r, dropped(3)]);
  });

  test("whoever comes after the other end is gone is told at once", async () => {
    const { a, b, r, w } = await pair();
    b.call("drop-readable", r);
    expect(a.call("write", w, 64, 3)).toBe(dropped());
  });

  test.each(["read", "write"] as const)("a %s is called off", async (kind) => {
    const { a, b, r, w } = await pair();
    const [puppet, end] = kind === "read" ? [b, r] : [a, w];
    expect(puppet.call(kind, end, 64, 4)).toBe(blocked);
    expect(puppet.call(`cancel-${kind}`, end)).toBe(cancelled());
    expect(puppet.call(kind, end, 64, 4)).toBe(blocked);
  });

  test("one that was done in part is called off with its count; one that is done is done", async () => {
    const { a, b, r, w } = await pair();
    a.call("write", w, 64, 4);
    b.call("read", r, 64, 3);
    expect(a.call("cancel-write", w)).toBe(cancelled(3));
    a.call("write", w, 64, 4);
    b.call("read", r, 64, 4);
    expect(a.call("cancel-write", w)).toBe(completed(4));
  });

  test("nothing is read to know that something is there", async () => {
    const { a, b, r, w } = await pair();
    expect(b.call("read", r, 0, 0)).toBe(blocked);
    // Two that want nothing do not wait for each other.
    expect(a.call("write", w, 0, 0)).toBe(completed());
    expect(a.call("write", w, 64, 2)).toBe(blocked);
    expect(b.call("cancel-read", r)).toBe(completed());
    expect(b.call("read", r, 0, 0)).toBe(completed());
    expect(b.call("read", r, 64, 2)).toBe(completed(2));
  });

  test("items without a type are counted", async () => {
    const { a, b, r, w } = await pair("");
    expect(a.call("write", w, 0xdead_beef, 2 ** 28 - 1)).toBe(blocked);
    expect(b.call("read", r, 0xdead_beef, 1000)).toBe(completed(1000));
  });

  test("text goes from memory to memory", async () => {
    const { a, b, r, w } = await pair("string");
    a.poke(64, 0x6f6c6568, 0x6f);
    a.poke(32, 64, 5, 64, 2);
    a.call("write", w, 32, 2);
    expect(b.call("read", r, 128, 4)).toBe(completed(2));
    const first = b.peek(128);
    expect([b.peek(132), b.peek(first), b.peek(first + 4) & 0xff]).toEqual([5, 0x6f6c6568, 0x6f]);
    expect(b.peek(140)).toBe(2);
  });

  test.each(["bool", "(tuple u8 u32)", "(option u16)", "f64"])("%s is copied", async (item) => {
    const { a, b, r, w } = await pair(item);
    a.poke(64, 1, 2, 3, 4);
    expect(a.call("write", w, 64, 1)).toBe(blocked);
    expect(b.call("read", r, 128, 1)).toBe(completed(1));
    expect(b.peek(128) & 0xff).toBe(1);
  });

  test("what is not of its type is caught where it is copied", async () => {
    const { a, b, r, w } = await pair("(option char)");
    a.poke(64, 1, 0xd800);
    a.call("write", w, 64, 1);
    await expect((async () => b.call("read", r, 128, 1))()).rejects.toThrow("is no Unicode scalar value");
  });

  test("a stream goes through several hands, and back", async () => {
    const { a, b, r, w } = await pair();
    const back = a.call("take-stream", b.call("give-stream", r)) as number;
    const again = b.call("take-stream", a.call("give-stream", back)) as number;
    a.poke(64, 7);
    a.call("write", w, 64, 1);
    expect(b.call("read", again, 128, 1)).toBe(completed(1));
    expect(b.peek(128)).toBe(7);
  });

  test("numbers may be copied within one component, other items not", async () => {
    const [numbers] = await puppets();
    const [r, w] = numbers.ends("new-stream");
    numbers.poke(64, 5);
    numbers.call("write", w, 64, 1);
    expect(numbers.call("read", r, 128, 1)).toBe(completed(1));
    const [texts] = await puppets({ item: "string" });
    const [reader, writer] = texts.ends("new-stream");
    texts.call("write", writer, 64, 1);
    await expect((async () => texts.call("read", reader, 128, 1))()).rejects.toThrow("no number");
  });

  test("one that blocks waits within the call, and others of the component go on", async () => {
    const { a, b, r, w } = await pair();
    const reading = b.wait("read-sync", r, 128, 4);
    await new Promise(setImmediate);
    a.poke(64, 0x0a0b0c0d);
    expect(a.call("write", w, 64, 4)).toBe(completed(4));
    expect(await reading).toBe(completed(4));
    expect(b.peek(128)).toBe(0x0a0b0c0d);
  });
});

describe("a future between two components", () => {
  test("its one value is written once and read once", async () => {
    const [a, b] = await puppets({ item: "u32" });
    const [readable, w] = a.ends("new-future");
    const r = b.call("take-future", a.call("give-future", readable)) as number;
    a.poke(64, 1234);
    expect(b.call("read-future", r, 128)).toBe(blocked);
    expect(a.call("write-future", w, 64)).toBe(completed());
    a.call("drop-writable-future", w);
    const set = b.call("set-new") as number;
    b.call("join", r, set);
    expect(b.poll(set)).toEqual([4, r, completed()]);
    expect(b.peek(128)).toBe(1234);
    b.call("drop-readable-future", r);
  });

  test("a write that nobody will read says so", async () => {
    const [a] = await puppets();
    const [r, w] = a.ends("new-future");
    expect(a.call("write-future", w, 64)).toBe(blocked);
    a.call("drop-readable-future", r);
    const set = a.call("set-new") as number;
    a.call("join", w, set);
    expect(a.poll(set)).toEqual([5, w, dropped()]);
    a.call("drop-writable-future", w);
  });

  test("a read and a write are called off, and tried again", async () => {
    const [a] = await puppets();
    const [r, w] = a.ends("new-future");
    a.call("read-future", r, 64);
    expect(a.call("cancel-read-future", r)).toBe(cancelled());
    a.call("write-future", w, 64);
    expect(a.call("cancel-write-future", w)).toBe(cancelled());
    a.poke(64, 9);
    const writing = a.wait("write-future-sync", w, 64);
    await new Promise(setImmediate);
    expect(a.call("read-future", r, 128)).toBe(completed());
    expect(await writing).toBe(completed());
    expect(a.peek(128) & 0xff).toBe(9);
  });
});

describe("a stream from a guest to the host", () => {
  async function fromGuest(item?: string): Promise<{ a: Puppet; w: number; reader: StreamReader }> {
    const [a] = await puppets(item === undefined ? {} : { item });
    const [r, w] = a.ends("new-stream");
    return { a, w, reader: a.call("give-stream", r) as StreamReader };
  }

  test("what is there is read at once, as many as are wanted", async () => {
    const { a, w, reader } = await fromGuest();
    a.poke(64, 0x04030201);
    a.call("write", w, 64, 4);
    expect(reader.read(3)).toEqual(Uint8Array.of(1, 2, 3));
    expect(reader.read(3)).toEqual(Uint8Array.of(4));
  });

  test("what is not there is waited for", async () => {
    const { a, w, reader } = await fromGuest("u32");
    const read = reader.read(8);
    expect(read).toBeInstanceOf(Promise);
    expect(() => reader.read(1)).toThrow(TypeError);
    a.poke(64, 5, 6);
    expect(a.call("write", w, 64, 2)).toBe(completed(2));
    a.poke(64, 7, 8);
    // What was read is the host's own, whatever the guest does meanwhile.
    expect(await read).toEqual(Uint32Array.of(5, 6));
  });

  test("its end is its end, for a read under way and for those after it", async () => {
    const { a, w, reader } = await fromGuest();
    const read = reader.read(8);
    a.call("drop-writable", w);
    expect(await read).toBeUndefined();
    expect(reader.read(8)).toBeUndefined();
  });

  test("the host may not want it any more", async () => {
    const { a, w, reader } = await fromGuest();
    const read = reader.read(8);
    reader.drop();
    reader.drop();
    expect(await read).toBeUndefined();
    expect(a.call("write", w, 64, 4)).toBe(dropped());
  });

  test.each([
    ["string", [64, 2, 64, 3], ["he", "hel"]],
    ["(option u8)", [0, 0x0501], [undefined, undefined, 5]],
    ["", [], [undefined, undefined]],
  ] as const)("items of %j", async (item, words, wanted) => {
    const { a, w, reader } = await fromGuest(item);
    a.poke(64, 0x6f6c6568);
    a.poke(32, ...words);
    a.call("write", w, 32, wanted.length);
    expect(reader.read(10)).toEqual(wanted);
  });

  test("the guest fails: who waits for it is told, and who asks later too", async () => {
    const { a, reader } = await fromGuest();
    const read = reader.read(8);
    await expect((async () => a.call("drop-writable", 99))()).rejects.toThrow("there is no handle 99");
    await expect(read).rejects.toThrow("there is no handle 99");
    expect(() => reader.read(8)).toThrow("there is no handle 99");
  });

  test("a future", async () => {
    const [a] = await puppets({ item: "string" });
    const [r, w] = a.ends("new-future");
    const value = (a.call("give-future", r) as FutureReader<string>).read();
    a.poke(64, 0x6f6c6568);
    a.poke(32, 64, 4);
    expect(a.call("write-future", w, 32)).toBe(completed());
    expect(await value).toBe("helo");
  });
});

describe("a stream from the host to a guest", () => {
  /** A reader with what a test puts into it. */
  function source<T>(): {
    reader: StreamReader<T>;
    push: (items: ArrayLike<T> | undefined) => void;
    asked: number[];
    dropped: () => number;
  } {
    const queue: (ArrayLike<T> | undefined)[] = [];
    const asked: number[] = [];
    let waiting: ((items: ArrayLike<T> | undefined) => void) | undefined;
    let drops = 0;
    return {
      asked,
      dropped: () => drops,
      push(items) {
        if (waiting === undefined) queue.push(items);
        else waiting(items);
        waiting = undefined;
      },
      reader: {
        read(countMax) {
          asked.push(countMax);
          if (queue.length > 0) return queue.shift();
          return new Promise((resolve) => (waiting = resolve));
        },
        drop: () => void drops++,
      },
    };
  }

  test("what is there comes at once", async () => {
    const [a] = await puppets();
    const { reader, push, asked } = source<number>();
    push(Uint8Array.of(1, 2, 3, 4));
    const r = a.call("take-stream", reader) as number;
    expect(a.call("read", r, 64, 100)).toBe(completed(4));
    expect(a.peek(64)).toBe(0x04030201);
    expect(asked).toEqual([100]);
  });

  test("what comes later is an event, and goes on in the guest's own time", async () => {
    const [a] = await puppets();
    const { reader, push } = source<number>();
    const r = a.call("take-stream", reader) as number;
    const set = a.call("set-new") as number;
    a.call("join", r, set);
    expect(a.call("read", r, 64, 4)).toBe(blocked);
    const waiting = a.wait("wait", set, 0);
    push(Uint8Array.of(7));
    expect(await waiting).toBe(streamRead);
    expect([a.peek(0), a.peek(4), a.peek(64) & 0xff]).toEqual([r, completed(1), 7]);
    push(undefined);
    expect(a.call("read", r, 64, 4)).toBe(dropped());
  });

  test("more than is asked for is kept for the next read", async () => {
    const [a] = await puppets({ item: "u32" });
    const { reader, push } = source<number>();
    const r = a.call("take-stream", reader) as number;
    push([1, 2, 3]);
    expect(a.call("read", r, 64, 2)).toBe(completed(2));
    expect(a.call("read", r, 64, 2)).toBe(completed(1));
    expect(a.peek(64)).toBe(3);
  });

  test("a read that was called off loses nothing", async () => {
    const [a] = await puppets();
    const { reader, push } = source<number>();
    const r = a.call("take-stream", reader) as number;
    a.call("read", r, 64, 4);
    expect(a.call("cancel-read", r)).toBe(cancelled());
    push(Uint8Array.of(1, 2));
    await new Promise(setImmediate);
    expect(a.call("read", r, 64, 4)).toBe(completed(2));
  });

  test("a read of nothing waits until something is there", async () => {
    const [a] = await puppets();
    const { reader, push } = source<number>();
    const r = a.call("take-stream", reader) as number;
    expect(a.call("read", r, 0, 0)).toBe(blocked);
    push(Uint8Array.of(1));
    await new Promise(setImmediate);
    expect(a.call("cancel-read", r)).toBe(completed());
    expect(a.call("read", r, 64, 4)).toBe(completed(1));
  });

  test("the guest drops it, and the host is told once", async () => {
    const [a] = await puppets();
    const { reader, push, dropped: drops } = source<number>();
    const r = a.call("take-stream", reader) as number;
    a.call("read", r, 64, 4);
    a.call("cancel-read", r);
    a.call("drop-readable", r);
    push(Uint8Array.of(1));
    await new Promise(setImmediate);
    expect(drops()).toBe(1);
  });

  test("what a guest holds when it ends is dropped", async () => {
    const [a] = await puppets();
    const { reader, dropped: drops } = source<number>();
    a.call("take-stream", reader);
    a.guest.live.reset();
    expect(drops()).toBe(1);
  });

  test("the host is given back what it gave, with what is left of it", async () => {
    const [a, b] = await puppets();
    const { reader, push } = source<number>();
    const r = a.call("take-stream", reader) as number;
    push(Uint8Array.of(1, 2, 3));
    a.call("read", r, 64, 1);
    const back = a.call("give-stream", r) as StreamReader<number>;
    expect(back.read(1)).toEqual(Uint8Array.of(2));
    const again = b.call("take-stream", back) as number;
    expect(b.call("read", again, 64, 8)).toBe(completed(1));
    expect(b.peek(64) & 0xff).toBe(3);
  });

  test("a stream goes from one guest to another", async () => {
    const [a] = await puppets();
    const [other] = await puppets();
    const [readable, w] = a.ends("new-stream");
    const r = other.call("take-stream", a.call("give-stream", readable)) as number;
    expect(other.call("read", r, 64, 4)).toBe(blocked);
    a.poke(64, 0x01020304);
    expect(a.call("write", w, 64, 4)).toBe(completed(4));
    await new Promise(setImmediate);
    expect(other.call("cancel-read", r)).toBe(completed(4));
    expect(other.peek(64)).toBe(0x01020304);
  });

  test.each([
    ["gives nothing and is not at its end", () => []],
    ["fails", () => Promise.reject(new Error("no such file"))],
  ] as const)("a stream that %s ends the guest", async (_, read) => {
    const [a] = await puppets();
    const r = a.call("take-stream", { read, drop: () => undefined }) as number;
    const set = a.call("set-new") as number;
    const reading = (async () => {
      a.call("read", r, 64, 4);
      return a.wait("wait", set, 0);
    })();
    await expect(reading).rejects.toMatchObject({ code: "GUEST_FAILED" });
  });

  test("a promise is a future", async () => {
    const [a] = await puppets({ item: "u32" });
    const r = a.call("take-future", Promise.resolve(77)) as number;
    expect(a.call("read-future", r, 64)).toBe(blocked);
    expect(a.call("cancel-read-future", r)).toBe(cancelled());
    expect(await a.wait("read-future-sync", r, 64)).toBe(completed());
    expect(a.peek(64)).toBe(77);
    const there = a.call("take-future", { read: () => 78, drop: () => undefined }) as number;
    expect(a.call("read-future", there, 64)).toBe(completed());
  });
});

test("an error context is shared, has a message, and is dropped by each who has it", async () => {
  const [a, b] = await puppets();
  a.poke(64, 0x6f6c6568);
  const error = a.call("error-new", 64, 4) as number;
  const given = a.call("give-error", error);
  expect(given).toMatchObject({ debugMessage: "helo" });
  const other = b.call("take-error", given) as number;
  a.call("error-drop", error);
  b.call("error-message", other, 128);
  expect([b.peek(132), b.peek(b.peek(128))]).toEqual([4, 0x6f6c6568]);
});

test("a task's slots are its own, and empty at its beginning", async () => {
  const [a] = await puppets();
  a.call("slot-set", 5);
  expect(a.call("slot-get")).toBe(0);
});

test("a guest that yields lets timers run, and goes on", async () => {
  const [a] = await puppets();
  let isBefore = true;
  setImmediate(() => (isBefore = false));
  expect(await a.wait("yield")).toBe(0);
  expect(isBefore).toBe(false);
});
