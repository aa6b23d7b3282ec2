import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { ClientAnswer } from "./client-answer.ts";
import type { ClientEnd } from "./client-end.ts";

/** A client that takes one piece at a time, and the answer that it gets. */
function slowReader() {
  const given: string[] = [];
  const listeners: (() => void)[] = [];
  const clock = new FakeClock();
  let consumed = 0;
  const peer: ClientEnd = {
    ...{ method: "GET", complete: true, isPaused: false },
    ...{ receive: () => undefined, pause: () => undefined, resume: () => undefined, inform: () => undefined },
    ...{
      writeHead: () => undefined,
      flushHead: () => undefined,
      onceClosed: () => undefined,
      cutShort: () => undefined,
    },
    ...{ discardRest: () => undefined, closeAfter: () => undefined, framingInDoubt: () => undefined },
    write: (chunk) => given.push(chunk.toString()) === 0,
    onceDrained: (listener) => void listeners.push(listener),
    end: (rest) => void given.push(`end ${rest?.toString() ?? ""}`),
  };
  const prefix = (): never => {
    throw new Error("no lines before the body");
  };
  const answer = new ClientAnswer({
    ...{ peer, clock, prefix, requestId: "id", serverTiming: () => "", unread: () => undefined },
  });
  const stream = { consumed: (bytes: number) => void (consumed += bytes), write: () => true, end: () => undefined };
  answer.begin(200, []);
  answer.flush(stream);
  const drain = (): void => listeners.shift()?.();
  return { answer, clock, given, stream, drain, consumed: () => consumed };
}

test("who reads slowly gets the next when he has taken what he had, and is seen to take it", async () => {
  const { answer, clock, given, stream, drain, consumed } = slowReader();
  for (const text of ["one", "two", "three"]) answer.data(Buffer.from(text), stream);
  expect([given, consumed(), answer.unreadSinceMs]).toEqual([["one"], 0, clock.nowMs()]);
  await clock.advance(50_000);
  drain();
  expect([given, consumed(), answer.unreadSinceMs]).toEqual([["one", "two"], 3, clock.nowMs()]);
  await clock.advance(50_000);
  drain();
  // What comes meanwhile has its place behind what waits.
  answer.data(Buffer.from("four"), stream);
  expect([given.at(-1), consumed(), answer.unreadSinceMs]).toEqual(["three", 6, clock.nowMs()]);
  answer.end([]);
  expect(given).toEqual(["one", "two", "three", "four", "end "]);
});
