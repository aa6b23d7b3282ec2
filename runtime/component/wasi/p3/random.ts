import { randomBytes } from "node:crypto";
import type { Caller } from "../guest-context.ts";
import { number64, randomBytesMax } from "../random.ts";

/** A guest that wants more asks again: the interface allows a short answer. */
const bytes = (lengthMax: bigint): Uint8Array =>
  randomBytes(lengthMax > BigInt(randomBytesMax) ? randomBytesMax : Number(lengthMax));

/** wasi:random/random@0.3 */
export const random = (_caller: Caller): object => ({ getRandomBytes: bytes, getRandomU64: number64 });

/** wasi:random/insecure@0.3. The secure source is fast enough to serve here too. */
export const randomInsecure = (_caller: Caller): object => ({
  getInsecureRandomBytes: bytes,
  getInsecureRandomU64: number64,
});

/** wasi:random/insecure-seed@0.3. Hash tables of guests are seeded from it: a constant would invite hash flooding. */
export const randomInsecureSeed = (_caller: Caller): object => ({
  getInsecureSeed: (): readonly [bigint, bigint] => [number64(), number64()],
});
