import { expect, test } from "vitest";
import { siphash13 } from "./siphash.ts";

// k0, k1, length of the message 00 01 02 …, hash. Computed by CPython 3.11, whose hash of bytes is SipHash-1-3.
const vectors: readonly (readonly [bigint, bigint, number, bigint])[] = [
  [0x0n, 0x0n, 1, 0x68a914128e01e473n],
  [0x0n, 0x0n, 7, 0x2f098ab0c751325an],
  [0x0n, 0x0n, 8, 0xead411e67ebe2eean],
  [0x0n, 0x0n, 9, 0x75927f9d95124362n],
  [0x0n, 0x0n, 15, 0xf30eb725bb91c9ean],
  [0x0n, 0x0n, 16, 0x8972188433a5c5b7n],
  [0x0n, 0x0n, 63, 0x385d3e39e5f37359n],
  [0xaed66ce184be2329n, 0xebe9bbf1f1499052n, 1, 0xecd3e5afcecda4b9n],
  [0xaed66ce184be2329n, 0xebe9bbf1f1499052n, 7, 0xfd15e78052a69ddfn],
  [0xaed66ce184be2329n, 0xebe9bbf1f1499052n, 8, 0xc0b5739e7e28dd01n],
  [0xaed66ce184be2329n, 0xebe9bbf1f1499052n, 9, 0x208a1a5a0cbbf778n],
  [0xaed66ce184be2329n, 0xebe9bbf1f1499052n, 15, 0xfa87985f39e97a53n],
  [0xaed66ce184be2329n, 0xebe9bbf1f1499052n, 16, 0x12e9d283f9f37002n],
  [0xaed66ce184be2329n, 0xebe9bbf1f1499052n, 63, 0x542052345bc68274n],
  [0xdc504fd368cd90afn, 0xb920bb9ffe99e9c1n, 1, 0xce880c366bcf3489n],
  [0xdc504fd368cd90afn, 0xb920bb9ffe99e9c1n, 7, 0xce280fabc397fbdan],
  [0xdc504fd368cd90afn, 0xb920bb9ffe99e9c1n, 8, 0x60866c3c108c6afbn],
  [0xdc504fd368cd90afn, 0xb920bb9ffe99e9c1n, 9, 0x68814005f7469e03n],
  [0xdc504fd368cd90afn, 0xb920bb9ffe99e9c1n, 15, 0x94ace24d68c18cf8n],
  [0xdc504fd368cd90afn, 0xb920bb9ffe99e9c1n, 16, 0x339176f3ac59ce05n],
  [0xdc504fd368cd90afn, 0xb920bb9ffe99e9c1n, 63, 0x6e24d6f0d014c37n],
];

test.each(vectors)("siphash13 under %s, %s of %d bytes", (k0, k1, byteCount, hash) => {
  expect(
    siphash13(
      k0,
      k1,
      Uint8Array.from({ length: byteCount }, (_, index) => index),
    ),
  ).toBe(hash);
});
