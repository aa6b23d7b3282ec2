import type { IncomingBody, OutgoingBody } from "wazi:http/types@0.2.10";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { Response as GuestResponse } from "../web/response.ts";
import { IncomingBytes, writeBody } from "./bodies.ts";
import { runUntil } from "./loop.ts";
import { Pollable, resetWasi } from "./wasi.fake.ts";

beforeEach(resetWasi);

/** Takes as much as `permits` say, one after the other, and waits in between; at last it takes everything. */
class FakeOutgoing {
  readonly written: Uint8Array[] = [];
  waits = 0;
  open = 0;
  readonly #permits: number[];

  constructor(permits: readonly number[] = []) {
    this.#permits = [...permits];
  }

  write() {
    this.open += 1;
    return {
      checkWrite: () => this.#permits.shift() ?? Number.MAX_SAFE_INTEGER,
      write: (bytes: Uint8Array) => void this.written.push(bytes.slice()),
      flush: () => undefined,
      blockingWriteAndFlush: () => undefined,
      subscribe: () => {
        this.waits += 1;
        return new Pollable(0);
      },
      [Symbol.dispose]: () => void (this.open -= 1),
    };
  }

  [Symbol.dispose](): void {
    // Nothing is held.
  }

  get bytes(): Buffer {
    return Buffer.concat(this.written);
  }
}

/** Gives the chunks one after the other; an empty one means that nothing has come yet. */
function incoming(chunks: readonly Uint8Array[], end: unknown = { payload: { tag: "closed" } }): IncomingBody {
  const left = [...chunks];
  return {
    stream: () => ({
      read: () => {
        const chunk = left.shift();
        if (chunk === undefined) throw end;
        return chunk;
      },
      subscribe: () => new Pollable(0),
      [Symbol.dispose]: () => undefined,
    }),
    [Symbol.dispose]: () => undefined,
  };
}

/** Turns the guest's loop, as the host's call does, until the promise is settled. */
async function turned<T>(promise: Promise<T> | undefined): Promise<T | undefined> {
  if (promise === undefined) return undefined;
  let isOver = false;
  const settled = promise.finally(() => (isOver = true));
  settled.catch(() => undefined);
  for (let turn = 0; turn < 1000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (isOver) break;
    let looks = 0;
    runUntil(() => looks++ > 0);
  }
  return settled;
}

const written = async (body: string, permits: readonly number[] = []): Promise<FakeOutgoing> => {
  const out = new FakeOutgoing(permits);
  await turned(writeBody(out as OutgoingBody, new GuestResponse(body)));
  expect(out.open).toBe(0);
  return out;
};

describe("writing", () => {
  test("what is known leaves without a promise, and nothing is written of nothing", () => {
    const out = new FakeOutgoing();
    expect(writeBody(out as OutgoingBody, new GuestResponse("hello"))).toBeUndefined();
    expect(writeBody(out as OutgoingBody, new GuestResponse(null, { status: 204 }))).toBeUndefined();
    expect(out.written.map((bytes) => Buffer.from(bytes).toString())).toEqual(["hello"]);
    expect(out.open).toBe(0);
  });

  test("a long text is whole wherever it is cut, also within a pair", async () => {
    // Pieces are 32 KiB: a pair stands on each side of the cut, and across it.
    for (const before of [32_766, 32_767, 32_768]) {
      const text = `${"x".repeat(before)}😀é${"y".repeat(40_000)}`;
      expect((await written(text)).bytes.toString()).toBe(text);
    }
  });

  test("the other side takes what it takes, and is waited for", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(0, 1, 3, 1000), { maxLength: 10 }), async (permits) => {
        const out = await written("äöü".repeat(20_000), permits);
        expect(out.bytes.toString()).toBe("äöü".repeat(20_000));
        expect(out.waits).toBeLessThanOrEqual(permits.filter((permit) => permit === 0).length);
      }),
      { numRuns: 30 },
    );
  });
});

describe("reading", () => {
  test("a text that comes in pieces is the text, whatever the cuts", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(4), { maxLength: 20 }), async (cuts) => {
        const all = Buffer.from("\ufeffaé€😀b");
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const size of cuts) chunks.push(all.subarray(at, (at += size)));
        chunks.push(all.subarray(at));
        expect(await turned(new IncomingBytes(() => incoming(chunks)).text())).toBe("aé€😀b");
        const bytes = await turned(new IncomingBytes(() => incoming(chunks)).bytes());
        expect(Buffer.from(bytes ?? [])).toEqual(all);
      }),
    );
  });

  test("a body that breaks off is an error of both", async () => {
    const broken = (): IncomingBytes => new IncomingBytes(() => incoming([Buffer.from("half")], new Error("gone")));
    await expect(broken().text()).rejects.toThrow(TypeError);
    await expect(broken().bytes()).rejects.toThrow(TypeError);
  });
});
