import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  abortMessageCharsMax,
  dataBytesMax,
  encodeFrame,
  encodeFrameHeader,
  encodeTextFrame,
  FrameReader,
  frameType,
  headBytesMax,
} from "./frame.ts";

interface Frame {
  readonly type: number;
  readonly stream: number;
  readonly payload: string;
}

/** Reads `bytes` cut into pieces of the given lengths, again and again. */
function readCut(bytes: Buffer, lengths: readonly number[]): { frames: Frame[]; good: boolean } {
  const frames: Frame[] = [];
  const reader = new FrameReader((type, stream, payload) =>
    frames.push({ type, stream, payload: payload.toString("latin1") }),
  );
  let good = true;
  let offset = 0;
  for (let turn = 0; good && offset < bytes.length; turn++) {
    const length = lengths[turn % lengths.length]!;
    good = reader.push(Buffer.from(bytes.subarray(offset, offset + length)));
    offset += length;
  }
  return { frames, good };
}

const frame = fc.record({
  type: fc.constantFrom(frameType.data, frameType.request, frameType.response),
  stream: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

describe("FrameReader", () => {
  test("gives the frames that were written, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 10 }),
        (written, lengths) => {
          const bytes = Buffer.concat(written.map((one) => encodeFrame(one.type, one.stream, one.payload)));
          const read = readCut(bytes, lengths);
          expect(read.good).toBe(true);
          expect(read.frames).toEqual(written.map((one) => ({ ...one, payload: one.payload.toString("latin1") })));
        },
      ),
    );
  });

  test("a large frame in single bytes costs no more than its own size again", () => {
    const bytes = encodeFrame(frameType.data, 1, Buffer.alloc(dataBytesMax, 7));
    const read = readCut(bytes, [1]);
    expect(read.frames).toHaveLength(1);
    expect(read.frames[0]!.payload).toHaveLength(dataBytesMax);
  });

  test("payloads stay what they are after more bytes have come", () => {
    const payloads: Buffer[] = [];
    const reader = new FrameReader((_type, _stream, payload) => payloads.push(payload));
    const one = encodeFrame(frameType.data, 1, Buffer.from("first"));
    reader.push(one.subarray(0, 11));
    reader.push(one.subarray(11));
    reader.push(encodeFrame(frameType.data, 1, Buffer.from("other")));
    expect(payloads.map(String)).toEqual(["first", "other"]);
  });

  test.each([
    { name: "data", type: frameType.data, most: dataBytesMax },
    { name: "a head", type: frameType.request, most: headBytesMax },
    { name: "credit", type: frameType.credit, most: 4 },
    { name: "an end", type: frameType.end, most: headBytesMax },
  ])("$name may be $most bytes and not one more", ({ type, most }) => {
    expect(readCut(encodeFrame(type, 1, Buffer.alloc(most)), [10_000]).good).toBe(true);
    const over = encodeFrame(type, 1, Buffer.alloc(most + 1));
    expect(readCut(over, [over.length])).toEqual({ frames: [], good: false });
    expect(readCut(over, [1])).toEqual({ frames: [], good: false });
  });

  test("an unknown type is refused by its header alone", () => {
    expect(readCut(Buffer.from([0, 0, 0, 0, 8, 0, 0, 0, 1]), [4]).good).toBe(false);
  });

  test("the longest abort message fits its frame, even if each character is escaped", () => {
    const text = JSON.stringify({ code: "CONNECTION_LOST", message: "\u0000".repeat(abortMessageCharsMax) });
    expect(readCut(encodeTextFrame(frameType.abort, 1, text), [10_000]).good).toBe(true);
  });
});

test("the three ways to encode a frame agree", () => {
  const text = 'näme ☃ "quoted"';
  const whole = encodeFrame(frameType.request, 77, Buffer.from(text));
  expect(encodeTextFrame(frameType.request, 77, text)).toEqual(whole);
  const bytes = Buffer.from(text);
  expect(Buffer.concat([encodeFrameHeader(frameType.request, 77, bytes.length), bytes])).toEqual(whole);
});
