import { FakeClock } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import type { PodLogLine } from "../pod/pod-runtime.ts";
import { LogRelay } from "./log-relay.ts";

const bounds = { lineBytesMax: 10, rateBytesPerS: 100, burstBytesMax: 400, batchBytesMax: 1000, delayMs: 10 };

function open(): { relay: LogRelay; clock: FakeClock; batches: PodLogLine[][] } {
  const clock = new FakeClock();
  const batches: PodLogLine[][] = [];
  return { relay: new LogRelay({ clock, send: (lines) => batches.push([...lines]), bounds }), clock, batches };
}

const texts = (batches: PodLogLine[][]): string[] => batches.flat().map(({ text }) => text);

describe("LogRelay", () => {
  test("cuts bytes into lines, each stream for itself, and sends them in one batch", async () => {
    const { relay, clock, batches } = open();
    const log = relay.writer();
    log.write("stdout", Buffer.from("a"));
    log.write("stderr", Buffer.from("x\n"));
    log.write("stdout", Buffer.from("b\nrest"));
    log.end();
    expect(batches).toEqual([]);
    await clock.advance(10);
    expect(batches.length).toBe(1);
    expect(batches[0]?.map(({ stream, text }) => `${stream} ${text}`)).toEqual([
      "stderr x",
      "stdout ab",
      "stdout rest",
    ]);
  });

  test("hands a long line on in pieces", async () => {
    const { relay, clock, batches } = open();
    relay.writer().write("stdout", Buffer.from(`${"x".repeat(15)}\n`));
    await clock.advance(10);
    expect(batches.flat().map(({ text, partial }) => [text.length, partial])).toEqual([
      [10, true],
      [5, false],
    ]);
  });

  test("a line belongs to the request during which it is completed", async () => {
    const { relay, clock, batches } = open();
    const log = relay.writer();
    log.write("stdout", Buffer.from("a\nb"), ["accept", "traceparent", "traceparent", "00-1"]);
    log.write("stdout", Buffer.from("\nc\n"), ["traceparent", "00-2"]);
    log.write("stderr", Buffer.from("d\n"), ["traceparent", "x".repeat(129)]);
    log.write("stdout", Buffer.from("e"), ["traceparent", "00-3"]);
    log.end();
    relay.line("stderr", "f", { requestHeaders: ["traceparent", "00-4"] });
    await clock.advance(10);
    const traced = batches.flat().map(({ text, traceparent }) => [text, traceparent]);
    expect(traced).toEqual([
      ["a", "00-1"],
      ["b", "00-2"],
      ["c", "00-2"],
      ["d", undefined],
      ["e", "00-3"],
      ["f", "00-4"],
    ]);
  });

  test("drops what is above the rate, and says how much when there is room again", async () => {
    const { relay, clock, batches } = open();
    // Each line costs 1 + 64: six fit the burst.
    for (let count = 0; count < 10; count++) relay.line("stdout", String(count));
    await clock.advance(10);
    expect(texts(batches)).toEqual(["0", "1", "2", "3", "4", "5", expect.stringContaining("4 lines lost here")]);
    await clock.advance(5000);
    relay.line("stdout", "again");
    await clock.advance(10);
    expect(texts(batches).at(-1)).toBe("again");
  });

  test("does not wait for a turn of the event loop when a batch is full", () => {
    const clock = new FakeClock();
    const batches: number[] = [];
    const full = { ...bounds, burstBytesMax: 10_000, batchBytesMax: 130 };
    const relay = new LogRelay({ clock, send: (lines) => batches.push(lines.length), bounds: full });
    for (let count = 0; count < 6; count++) relay.line("stdout", "x");
    expect(batches).toEqual([2, 2, 2]);
  });
});
