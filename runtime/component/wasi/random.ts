import { randomBytes } from "node:crypto";
import { GuestFault } from "../guest-fault.ts";
import type { Caller } from "./guest-context.ts";

// One call; guests that want a gigabyte of chance call again. Bounds the time that a call blocks the thread.
export const randomBytesMax = 1024 * 1024;

function bytes(length: bigint): Uint8Array {
  if (length > BigInt(randomBytesMax)) {
    throw new GuestFault(
      "GUEST_LIMIT",
      `the guest asked for ${length} random bytes at once; ${randomBytesMax} is the most`,
    );
  }
  return randomBytes(Number(length));
}

export const number64 = (): bigint => randomBytes(8).readBigUInt64LE(0);

/** wasi:random/random@0.2 */
export const random = (_caller: Caller): object => ({ getRandomBytes: bytes, getRandomU64: number64 });

/** wasi:random/insecure@0.2. The secure source is fast enough to serve here too. */
export const randomInsecure = (_caller: Caller): object => ({
  getInsecureRandomBytes: bytes,
  getInsecureRandomU64: number64,
});

/** wasi:random/insecure-seed@0.2. Hash tables of guests are seeded from it: a constant would invite hash flooding. */
export const randomInsecureSeed = (_caller: Caller): object => ({
  insecureSeed: (): readonly [bigint, bigint] => [number64(), number64()],
});
