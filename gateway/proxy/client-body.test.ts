import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { ClientBody } from "./client-body.ts";
import type { ClientBodyHandlers, ClientEnd } from "./client-end.ts";
import type { ClientRequest } from "./exchange.ts";
import { KeptBytes } from "./kept-bytes.ts";

const allBytes = 64 * 1024 * 1024;

/** A body whose pieces come as they are given. */
function bodyOf(kept: KeptBytes, bytesMax: number) {
  let handlers: ClientBodyHandlers | undefined;
  const peer = { isPaused: false, receive: (given) => (handlers = given), pause() {}, resume() {} } satisfies Partial<
    ClientEnd & { receive(given: ClientBodyHandlers): void }
  >;
  const headers = { chunked: true, contentLength: undefined, isUpgrade: false };
  const body = new ClientBody({ peer, headers } as unknown as ClientRequest, {
    bytesMax,
    clock: new FakeClock(),
    kept,
  });
  const refusals: string[] = [];
  const stream = { write: () => true, end: () => undefined, consumed: () => undefined };
  body.sendTo(stream, (code) => refusals.push(code));
  return { body, refusals, come: (byteCount: number) => handlers?.data(Buffer.alloc(byteCount)) };
}

/** How much of what all may keep is left. */
function leftOf(kept: KeptBytes): number {
  let [low, high] = [0, 2 * allBytes];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (kept.take(middle)) {
      kept.give(middle);
      low = middle;
    } else high = middle - 1;
  }
  return low;
}

test.each([
  { name: "small", pieces: [1000, 1000], bytesMax: allBytes, keeps: 0, replayable: true },
  { name: "not read yet", pieces: [60_000, 60_000, 60_000], bytesMax: allBytes, keeps: 180_000, replayable: true },
  { name: "more than a pod gets unread", pieces: [200_000, 200_000], bytesMax: allBytes, keeps: 0, replayable: false },
  { name: "too large at its first piece", pieces: [70_000], bytesMax: 65_000, keeps: 0, replayable: true },
  { name: "too large later", pieces: [60_000, 60_000, 60_000], bytesMax: 130_000, keeps: 120_000, replayable: true },
])("a body that is $name keeps its part, and gives all of it back", ({ pieces, bytesMax, keeps, replayable }) => {
  const kept = new KeptBytes();
  const { body, come, refusals } = bodyOf(kept, bytesMax);
  for (const byteCount of pieces) come(byteCount);
  expect(allBytes - leftOf(kept)).toBe(keeps);
  expect(body.replayable).toBe(replayable);
  expect(refusals).toEqual(pieces.reduce((sum, one) => sum + one, 0) > bytesMax ? ["BODY_TOO_LARGE"] : []);
  body.forgetSent();
  body.forgetSent();
  expect(leftOf(kept)).toBe(allBytes);
});

test("a pod that reads has not refused: nothing is kept for another one, but what each may keep", () => {
  const kept = new KeptBytes();
  const small = bodyOf(kept, allBytes);
  small.come(1000);
  small.body.writable();
  expect(small.body.replayable).toBe(true);
  const large = bodyOf(kept, allBytes);
  large.come(100_000);
  large.body.writable();
  expect([large.body.replayable, leftOf(kept)]).toEqual([false, allBytes]);
});

test("where all of it is taken, a body is sent once", () => {
  const kept = new KeptBytes();
  expect(kept.take(allBytes - 50_000)).toBe(true);
  const { body, come } = bodyOf(kept, allBytes);
  come(100_000);
  expect([body.replayable, leftOf(kept)]).toEqual([false, 50_000]);
});
