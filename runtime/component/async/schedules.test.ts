import fc from "fast-check";
import { expect, test } from "vitest";
import type { Items, StreamReader } from "../abi/stream.ts";
import { completed, type Puppet, puppets } from "../testing/puppet.ts";
import { type EndName, StreamModel } from "../testing/stream-model.ts";

// Schedules made by chance: what each built-in returns, what each event says, and every byte that arrives are what a model of forty
// lines says.

interface Step {
  readonly end: EndName;
  readonly act: "copy" | "cancel" | "take" | "drop";
  readonly count: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  end: fc.constantFrom("read", "write"),
  act: fc.oneof(
    { weight: 6, arbitrary: fc.constant("copy" as const) },
    { weight: 4, arbitrary: fc.constant("take" as const) },
    { weight: 2, arbitrary: fc.constant("cancel" as const) },
    { weight: 1, arbitrary: fc.constant("drop" as const) },
  ),
  count: fc.integer({ min: 0, max: 12 }),
});
const schedule = fc.array(step, { maxLength: 60 });

const sourceAt = 1024;
const targetAt = 4096;
/** The bytes `from`, `from` + 1, … from an address on. */
function fill(puppet: Puppet, from: number, count: number): void {
  for (let word = 0; word * 4 < count; word++) {
    const bytes = [0, 1, 2, 3].map((byte) => (from + word * 4 + byte) & 0xff);
    puppet.poke(sourceAt + word * 4, Buffer.from(bytes).readUInt32LE());
  }
}

function bytesAt(puppet: Puppet, count: number): readonly number[] {
  const words = Array.from({ length: Math.ceil(count / 4) }, (_, word) => puppet.peek(targetAt + word * 4));
  const bytes = Buffer.alloc(words.length * 4);
  for (const [word, value] of words.entries()) bytes.writeUInt32LE(value >>> 0, word * 4);
  return [...bytes.subarray(0, count)];
}

const counting = (from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => (from + index) & 0xff);

/** One stream between two puppets, beside its model. */
class Run {
  readonly model = new StreamModel();
  readonly #puppets: Readonly<Record<EndName, Puppet>>;
  readonly #handles: Readonly<Record<EndName, number>>;
  readonly #sets: Readonly<Record<EndName, number>>;
  #readFrom = 0;

  constructor(writer: Puppet, reader: Puppet) {
    const [readable, write] = writer.ends("new-stream");
    const read = reader.call("take-stream", writer.call("give-stream", readable)) as number;
    this.#puppets = { read: reader, write: writer };
    this.#handles = { read, write };
    this.#sets = { read: reader.call("set-new") as number, write: writer.call("set-new") as number };
    for (const end of ["read", "write"] as const) this.#call(end, "join", this.#handles[end], this.#sets[end]);
  }

  step({ end, act, count }: Step): void {
    const { model } = this;
    if (act === "copy" && model.isIdle(end)) {
      if (end === "write") fill(this.#puppets.write, model.passed, count);
      const handle = this.#handles[end];
      const from = model.passed;
      const code = this.#call(end, end, handle, end === "read" ? targetAt : sourceAt, count);
      expect(code).toBe(model.begin(end, count));
      if (end === "read") this.#readFrom = from;
      this.#check(end, code as number);
    } else if (act === "cancel" && model.isBusy(end)) {
      const code = this.#call(end, `cancel-${end}`, this.#handles[end]);
      expect(code).toBe(model.cancel(end));
      this.#check(end, code as number);
    } else if (act === "take" && !model.ends[end].isDropped) {
      const event = this.#puppets[end].poll(this.#sets[end]);
      const code = model.take(end);
      expect(event).toEqual(code === undefined ? undefined : [end === "read" ? 2 : 3, this.#handles[end], code]);
      if (code !== undefined) this.#check(end, code);
    } else if (act === "drop" && !model.isBusy(end) && !model.ends[end].isDropped) this.drop(end);
  }

  drop(end: EndName): void {
    this.#call(end, end === "read" ? "drop-readable" : "drop-writable", this.#handles[end]);
    this.model.drop(end);
  }

  /** Leaves nothing behind. */
  end(): void {
    for (const end of ["write", "read"] as const) {
      this.step({ end, act: "cancel", count: 0 });
      if (!this.model.ends[end].isDropped) this.drop(end);
      this.#call(end, "set-drop", this.#sets[end]);
    }
  }

  /** A read has ended with `code`: what it brought is what comes next. */
  #check(end: EndName, code: number): void {
    if (end !== "read" || code < 0) return;
    const count = code >> 4;
    expect(bytesAt(this.#puppets.read, count)).toEqual(counting(this.#readFrom, count));
  }

  #call(end: EndName, ...call: Parameters<Puppet["call"]>): unknown {
    return this.#puppets[end].call(...call);
  }
}

test("a stream between two guests, and within one, does what its model does", async () => {
  const [a, b] = await puppets();
  fc.assert(
    fc.property(schedule, fc.boolean(), (steps, isWithin) => {
      const run = new Run(a, isWithin ? a : b);
      for (const one of steps) run.step(one);
      run.end();
      expect(a.guest.live.states.map(({ handles }) => handles.size)).toEqual([0, 0, 0]);
    }),
    { numRuns: 150 },
  );
});

/** Some microtasks later. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
};

test("a stream from a guest to the host brings every byte once, and its end", async () => {
  const [a] = await puppets();
  const turns = fc.array(
    fc.tuple(fc.constantFrom("write", "read", "cancel", "take"), fc.integer({ min: 1, max: 12 })),
    {
      maxLength: 40,
    },
  );
  await fc.assert(
    fc.asyncProperty(turns, fc.boolean(), async (steps, isDroppedByHost) => {
      const [readable, w] = a.ends("new-stream");
      const reader = a.call("give-stream", readable) as StreamReader<number>;
      const got: number[] = [];
      const take = (items: Items<number> | undefined): void => void got.push(...Array.from(items ?? []));
      let isReading = false;
      let written = 0;
      let isWriting = false;
      const set = a.call("set-new") as number;
      a.call("join", w, set);
      const wrote = (code: number): void => void (written += code >> 4);
      for (const [act, count] of steps) {
        if (act === "write" && !isWriting) {
          fill(a, written, count);
          const code = a.call("write", w, sourceAt, count) as number;
          isWriting = code === -1;
          if (!isWriting) wrote(code);
        } else if (act === "read" && !isReading) {
          const items = reader.read(count);
          isReading = items instanceof Promise;
          if (items instanceof Promise) void items.then((late) => (take(late), (isReading = false)));
          else take(items);
        } else if (act === "take" || (act === "cancel" && isWriting)) {
          const code = act === "take" ? a.poll(set)?.[2] : (a.call("cancel-write", w) as number);
          if (code !== undefined) {
            isWriting = false;
            wrote(code);
          }
        }
        await settled();
      }
      if (isWriting) wrote(a.call("cancel-write", w) as number);
      expect(got).toEqual(counting(0, written));
      if (isDroppedByHost) reader.drop();
      a.call("drop-writable", w);
      a.call("set-drop", set);
      await settled();
      expect(isReading).toBe(false);
      expect(reader.read(1)).toBeUndefined();
    }),
    { numRuns: 150 },
  );
});

test("a stream from the host to a guest brings every byte once, however its pieces come", async () => {
  const [a] = await puppets();
  const pieces = fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.boolean()), { maxLength: 12 });
  const reads = fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.boolean()), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(pieces, reads, async (sent, asked) => {
      let made = 0;
      let at = 0;
      const reader: StreamReader<number> = {
        read() {
          const [count, isLate] = sent[at++] ?? [0, true];
          const items = count === 0 ? undefined : Uint8Array.from(counting(made, count));
          made += count;
          return isLate ? Promise.resolve(items) : items;
        },
        drop: () => undefined,
      };
      const r = a.call("take-stream", reader) as number;
      const set = a.call("set-new") as number;
      a.call("join", r, set);
      let got = 0;
      for (let round = 0; round < 1000; round++) {
        await settled();
        const [count, isCancelled] = asked[round % asked.length] ?? [1, false];
        let code = a.call("read", r, targetAt, round > 100 ? 8 : count) as number;
        if (code === -1 && isCancelled) code = a.call("cancel-read", r) as number;
        for (let turn = 0; code === -1 && turn < 10; turn++) {
          await settled();
          code = a.poll(set)?.[2] ?? -1;
        }
        expect(bytesAt(a, code >> 4)).toEqual(counting(got, code >> 4));
        got += code >> 4;
        if ((code & 0xf) === 1) break;
      }
      expect(got).toBe(sent.reduce((sum, [count]) => sum + count, 0));
      a.call("drop-readable", r);
      a.call("set-drop", set);
    }),
    { numRuns: 100 },
  );
});

test("a future is told of once, by whoever comes second", async () => {
  const [a, b] = await puppets({ item: "u32" });
  const act = fc.constantFrom("read", "write", "cancel-read", "cancel-write");
  fc.assert(
    fc.property(fc.array(act, { maxLength: 12 }), fc.nat(2 ** 31 - 1), (acts, value) => {
      const [readable, w] = a.ends("new-future");
      const r = b.call("take-future", a.call("give-future", readable)) as number;
      const waiting = { read: false, write: false };
      let isDone = false;
      a.poke(sourceAt, value);
      b.poke(targetAt, 0);
      for (const one of acts) {
        if (isDone) break;
        const end = one.endsWith("read") ? "read" : "write";
        const [puppet, handle, address] = end === "read" ? ([b, r, targetAt] as const) : ([a, w, sourceAt] as const);
        if (one.startsWith("cancel")) {
          if (waiting[end]) expect(puppet.call(`cancel-${end}-future`, handle)).toBe(2);
          waiting[end] = false;
        } else if (!waiting[end]) {
          isDone = waiting[end === "read" ? "write" : "read"];
          expect(puppet.call(`${end}-future`, handle, address)).toBe(isDone ? completed() : -1);
          waiting[end] = !isDone;
        }
      }
      expect(b.peek(targetAt)).toBe(isDone ? value : 0);
      // Leaves nothing behind: the other end takes its event, or the value is written.
      if (isDone && waiting.read) expect(b.call("cancel-read-future", r)).toBe(completed());
      if (isDone && waiting.write) expect(a.call("cancel-write-future", w)).toBe(completed());
      if (!isDone && waiting.read) b.call("cancel-read-future", r);
      b.call("drop-readable-future", r);
      if (!isDone) {
        const code = waiting.write ? a.call("cancel-write-future", w) : a.call("write-future", w, sourceAt);
        expect(code).toBe(1);
      }
      a.call("drop-writable-future", w);
      expect(a.guest.live.states.map(({ handles }) => handles.size)).toEqual([0, 0, 0]);
    }),
    { numRuns: 200 },
  );
});
