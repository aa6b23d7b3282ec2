import { getRandomBytes } from "wazi:random/random@0.2.10";

/** The standard's bound on one call. */
const randomBytesMax = 65_536;

/** https://w3c.github.io/webcrypto/#Crypto-interface, without `subtle`. Fresh bytes of the host at every call. */
export const crypto = {
  getRandomValues<T extends ArrayBufferView>(target: T): T {
    if (target.byteLength > randomBytesMax) {
      throw new DOMException(`at most ${randomBytesMax} bytes at once`, "QuotaExceededError");
    }
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(getRandomBytes(target.byteLength));
    return target;
  },

  randomUUID(): string {
    const bytes = getRandomBytes(16).slice();
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  },
};

// The engine's own Math.random was seeded when the component was built, and would give every instance the same
// numbers. xoshiro128** (Blackman and Vigna), seeded by the host at the first use.
let state: Uint32Array | undefined;

export function random(): number {
  state ??= new Uint32Array(getRandomBytes(16).slice().buffer);
  const high = next(state) >>> 5;
  const low = next(state) >>> 6;
  return (high * 2 ** 26 + low) / 2 ** 53;
}

function next(words: Uint32Array): number {
  const [a, b, c, d] = words as unknown as [number, number, number, number];
  const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
  const c2 = c ^ a;
  const d2 = d ^ b;
  words[1] = b ^ c2;
  words[0] = a ^ d2;
  words[2] = c2 ^ (b << 9);
  words[3] = rotate(d2, 11);
  return scrambled;
}

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));
