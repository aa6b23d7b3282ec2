import { expect, test } from "vitest";
import { type CryptoKey, subtle } from "./subtle.ts";

// Held to Node's own: the same calls, the same bytes, the same names of errors.
const real = globalThis.crypto.subtle;
const bytes = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, at) => (at * 7) & 0xff);
const hashes = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];
// Around the sizes of a block and of what is padded.
const lengths = [0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000];

test.each(hashes)("digest %s", async (name) => {
  for (const length of lengths) {
    const result = await subtle.digest(name, bytes(length));
    expect(result).toBeInstanceOf(ArrayBuffer);
    expect(new Uint8Array(result)).toEqual(new Uint8Array(await real.digest(name, bytes(length))));
  }
});

test("digest takes a buffer, a part of one, an object and small letters", async () => {
  const whole = bytes(64);
  const wanted = new Uint8Array(await real.digest("SHA-256", whole.subarray(8, 24)));
  const part = whole.slice(8, 24).buffer;
  for (const data of [part, new DataView(whole.buffer, 8, 16), new Uint16Array(whole.buffer, 8, 8)]) {
    expect(new Uint8Array(await subtle.digest({ name: "sha-256" }, data))).toEqual(wanted);
  }
});

test.each(hashes)("HMAC with %s: what one signs, the other verifies", async (hash) => {
  for (const keyLength of [1, 64, 128, 129, 200]) {
    const raw = bytes(keyLength);
    const algorithm = { name: "HMAC", hash };
    const ours = await subtle.importKey("raw", raw, algorithm, true, ["sign", "verify"]);
    const theirs = await real.importKey("raw", raw, algorithm, true, ["sign", "verify"]);
    expect(ours).toMatchObject({ type: "secret", algorithm: theirs.algorithm, usages: theirs.usages });
    const signature = await subtle.sign("hmac", ours, bytes(77));
    expect(await real.verify("HMAC", theirs, signature, bytes(77))).toBe(true);
    expect(await subtle.verify("HMAC", ours, await real.sign("HMAC", theirs, bytes(77)), bytes(77))).toBe(true);
    expect(await subtle.verify("HMAC", ours, signature, bytes(78))).toBe(false);
    for (const at of [0, signature.byteLength - 1]) {
      const wrong = new Uint8Array(signature.slice(0));
      wrong[at]! ^= 1;
      expect(await subtle.verify("HMAC", ours, wrong, bytes(77))).toBe(false);
    }
    expect(await subtle.verify("HMAC", ours, signature.slice(1), bytes(77))).toBe(false);
    expect(new Uint8Array(await subtle.exportKey("raw", ours))).toEqual(raw);
  }
});

const hmac = { name: "HMAC", hash: "SHA-256" };
type Subtle = typeof subtle;
type Key = CryptoKey;
const signing = (it: Subtle): Promise<Key> => it.importKey("raw", bytes(16), hmac, false, ["sign"]);

const refusals: { name: string; error: string; does: (it: Subtle) => Promise<unknown> }[] = [
  { name: "a hash that there is not", error: "NotSupportedError", does: (it) => it.digest("MD5", bytes(1)) },
  { name: "no data", error: "TypeError", does: (it) => it.digest("SHA-1", "text" as unknown as ArrayBuffer) },
  {
    name: "a usage that HMAC has not",
    error: "SyntaxError",
    does: (it) => it.importKey("raw", bytes(16), hmac, true, ["encrypt"]),
  },
  { name: "no usage", error: "SyntaxError", does: (it) => it.importKey("raw", bytes(16), hmac, true, []) },
  { name: "an empty key", error: "DataError", does: (it) => it.importKey("raw", bytes(0), hmac, true, ["sign"]) },
  {
    name: "no hash",
    error: "TypeError",
    does: (it) => it.importKey("raw", bytes(1), { name: "HMAC" }, true, ["sign"]),
  },
  {
    name: "a key for something else",
    error: "InvalidAccessError",
    does: async (it) => it.verify("HMAC", await signing(it), bytes(32), bytes(1)),
  },
  {
    name: "a key that is not extractable",
    error: "InvalidAccessError",
    does: async (it) => it.exportKey("raw", await signing(it)),
  },
  { name: "what is no key", error: "TypeError", does: (it) => it.sign("HMAC", {} as Key, bytes(1)) },
];

test.each(refusals)("$name is refused as Node refuses it", async ({ error, does }) => {
  await expect(does(subtle)).rejects.toMatchObject({ name: error });
  await expect(does(real as unknown as Subtle)).rejects.toMatchObject({ name: error });
});

const key = {};
test.each([
  ["AES-GCM", () => subtle.encrypt({ name: "aes-gcm" }, key, bytes(1))],
  ["RSASSA-PKCS1-V1_5", () => subtle.importKey("spki", bytes(1), { name: "RSASSA-PKCS1-v1_5" }, true, ["verify"])],
  ["ECDSA", () => subtle.sign({ name: "ECDSA" }, key as Key, bytes(1))],
  ["AES-KW", () => subtle.wrapKey("raw", key, key, "AES-KW")],
  ["PBKDF2", () => subtle.deriveBits("PBKDF2", key, 128)],
])("%s is not there, and the error names it", async (name, call) => {
  await expect(call()).rejects.toMatchObject({ name: "NotSupportedError", message: expect.stringContaining(name) });
});
