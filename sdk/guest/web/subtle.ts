import { hmac } from "@noble/hashes/hmac.js";
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";

// https://w3c.github.io/webcrypto/#subtlecrypto-interface, as far as hashes go: digests, and HMAC with raw keys. Ciphers
// and public keys would be large, slow, and not safe from being timed when they are written in JavaScript.

const hashes = { "SHA-1": sha1, "SHA-256": sha256, "SHA-384": sha384, "SHA-512": sha512 } as const;
type HashName = keyof typeof hashes;

type KeyUsage = "sign" | "verify";
const keyUsages: readonly string[] = ["sign", "verify"] satisfies KeyUsage[];

interface NamedAlgorithm {
  readonly name: string;
  readonly hash?: AlgorithmInput;
  readonly length?: number;
}
type AlgorithmInput = string | NamedAlgorithm;
type Bytes = ArrayBuffer | ArrayBufferView;

/** Not a property: a key that is not extractable gives its bytes to nobody. */
const bytesByKey = new WeakMap<CryptoKey, Uint8Array>();

/** A key of HMAC, which is the only kind there is. */
export class CryptoKey {
  readonly type = "secret";
  readonly extractable: boolean;
  readonly algorithm: { readonly name: "HMAC"; readonly hash: { readonly name: HashName }; readonly length: number };
  readonly usages: readonly string[];

  constructor(bytes: Uint8Array, hash: HashName, options: { extractable: boolean; usages: readonly string[] }) {
    this.extractable = options.extractable;
    this.algorithm = { name: "HMAC", hash: { name: hash }, length: bytes.length * 8 };
    this.usages = options.usages;
    bytesByKey.set(this, bytes);
  }
}

function bytesOf(key: CryptoKey): Uint8Array {
  const bytes = bytesByKey.get(key);
  if (bytes === undefined) throw new TypeError("the key is no CryptoKey");
  return bytes;
}

export const subtle = {
  async digest(algorithm: AlgorithmInput, data: Bytes): Promise<ArrayBuffer> {
    return bufferOf(hashes[hashName(algorithm, "digest")](copyOf(data)));
  },

  // oxlint-disable-next-line max-params -- the standard's
  async importKey(
    format: string,
    data: Bytes,
    algorithm: AlgorithmInput,
    extractable: boolean,
    usages: readonly string[],
  ): Promise<CryptoKey> {
    const { hash, length } = hmacAlgorithm(algorithm, "importKey");
    if (format !== "raw") throw notSupported("importKey", `HMAC with keys in the format "${format}"`);
    const bytes = copyOf(data);
    const strange = usages.find((usage) => !keyUsages.includes(usage));
    if (strange !== undefined) throw new DOMException(`a key of HMAC is not used to ${strange}`, "SyntaxError");
    if (usages.length === 0) throw new DOMException("a secret key needs a usage", "SyntaxError");
    if (bytes.length === 0 || (length ?? bytes.length * 8) !== bytes.length * 8) {
      throw new DOMException(`a key of ${bytes.length * 8} bits is not what is asked for`, "DataError");
    }
    return new CryptoKey(bytes, hashName(hash, "importKey"), { extractable, usages: [...new Set(usages)] });
  },

  async exportKey(format: string, key: CryptoKey): Promise<ArrayBuffer> {
    if (format !== "raw") throw notSupported("exportKey", `HMAC with keys in the format "${format}"`);
    const bytes = bytesOf(key);
    if (!key.extractable) throw new DOMException("the key is not extractable", "InvalidAccessError");
    return bufferOf(bytes);
  },

  async sign(algorithm: AlgorithmInput, key: CryptoKey, data: Bytes): Promise<ArrayBuffer> {
    return bufferOf(authenticate(algorithm, { key, usage: "sign" }, data));
  },

  async verify(algorithm: AlgorithmInput, key: CryptoKey, signature: Bytes, data: Bytes): Promise<boolean> {
    const given = copyOf(signature);
    const right = authenticate(algorithm, { key, usage: "verify" }, data);
    if (given.length !== right.length) return false;
    // Every byte is looked at, so that the time says nothing of where the first wrong one is.
    return right.reduce((difference, byte, at) => difference | (byte ^ given[at]!), 0) === 0;
  },

  encrypt: refusing("encrypt", 0),
  decrypt: refusing("decrypt", 0),
  generateKey: refusing("generateKey", 0),
  deriveKey: refusing("deriveKey", 0),
  deriveBits: refusing("deriveBits", 0),
  wrapKey: refusing("wrapKey", 3),
  unwrapKey: refusing("unwrapKey", 3),
};

/** An operation that there is for no algorithm; the algorithm is its argument number `place`. */
function refusing(operation: string, place: number): (...values: readonly unknown[]) => Promise<never> {
  return async (...values) => {
    throw notSupported(operation, nameOf(values[place] as AlgorithmInput));
  };
}

function authenticate(
  algorithm: AlgorithmInput,
  { key, usage }: { readonly key: CryptoKey; readonly usage: KeyUsage },
  data: Bytes,
): Uint8Array {
  if (nameOf(algorithm) !== "HMAC") throw notSupported(usage, nameOf(algorithm));
  const bytes = bytesOf(key);
  if (!key.usages.includes(usage)) throw new DOMException(`the key is not for ${usage}`, "InvalidAccessError");
  return hmac(hashes[key.algorithm.hash.name], bytes, copyOf(data));
}

function hmacAlgorithm(
  algorithm: AlgorithmInput,
  operation: string,
): { readonly hash: AlgorithmInput; readonly length: number | undefined } {
  if (nameOf(algorithm) !== "HMAC") throw notSupported(operation, nameOf(algorithm));
  if (typeof algorithm === "string" || algorithm.hash === undefined) throw new TypeError("HMAC needs a hash");
  return { hash: algorithm.hash, length: algorithm.length };
}

function hashName(algorithm: AlgorithmInput, operation: string): HashName {
  const name = nameOf(algorithm);
  if (Object.hasOwn(hashes, name)) return name as HashName;
  throw notSupported(operation, name);
}

/** Names are the same in upper and lower case. */
const nameOf = (algorithm: AlgorithmInput): string =>
  (typeof algorithm === "string" ? algorithm : String(algorithm?.name)).toUpperCase();

const notSupported = (operation: string, what: string): DOMException =>
  new DOMException(
    `crypto.subtle.${operation} has no ${what} here; there are SHA-1, SHA-256, SHA-384, SHA-512, and HMAC with raw keys`,
    "NotSupportedError",
  );

/** What the caller changes afterwards changes nothing here. */
function copyOf(data: Bytes): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  if (data instanceof ArrayBuffer) return new Uint8Array(data).slice();
  throw new TypeError("the data is neither an ArrayBuffer nor a view of one");
}

const bufferOf = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer;
