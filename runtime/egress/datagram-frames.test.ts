import fc from "fast-check";
import { expect, test } from "vitest";
import { type DatagramFrame, encodeFrame, FrameReader } from "./datagram-frames.ts";

const frames = fc.oneof(
  fc.record({
    kind: fc.constant("datagram" as const),
    address: fc.oneof(fc.ipV4(), fc.constantFrom("::1", "fe80::1%eth0", "2606:4700::1111")),
    port: fc.integer({ min: 0, max: 65_535 }),
    data: fc.uint8Array({ maxLength: 100 }),
  }),
  fc.record({
    kind: fc.constant("options" as const),
    options: fc.record({
      hopLimit: fc.integer({ min: 1, max: 255 }),
      sendBytes: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    }),
  }),
  fc.record({ kind: fc.constant("failed" as const), errno: fc.constantFrom("EACCES", "EMSGSIZE") }),
);

function read(bytes: Buffer, cut: number): (DatagramFrame | undefined)[] {
  const found: (DatagramFrame | undefined)[] = [];
  const reader = new FrameReader((frame) => found.push(frame));
  for (let at = 0; at < bytes.length; at += cut) reader.push(bytes.subarray(at, at + cut));
  return found;
}

test("frames come out as they went in, however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 8 }), fc.integer({ min: 1, max: 40 }), (list, cut) => {
      const found = read(Buffer.concat(list.map((frame) => encodeFrame(frame))), cut);
      const plain = (frame: DatagramFrame | undefined): unknown =>
        frame?.kind === "datagram" ? { ...frame, data: [...frame.data] } : frame;
      expect(found.map(plain)).toEqual(list.map(plain));
    }),
  );
});

test("what is no frame ends it, once", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 400 }), (bytes) => {
      const found = read(Buffer.from(bytes), 7);
      const end = found.indexOf(undefined);
      expect(end === -1 || end === found.length - 1).toBe(true);
    }),
  );
  const datagram = encodeFrame({ kind: "datagram", address: "localhost", port: 1, data: new Uint8Array(1) });
  expect(read(Buffer.concat([datagram, datagram]), 1000)).toEqual([undefined]);
});
