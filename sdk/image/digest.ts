import { createHash, type Hash } from "node:crypto";
import { ImageFault } from "./fault.ts";

declare const kind: unique symbol;

/** `sha256:<64 hex>` or `sha512:<128 hex>`; checked. Image specification, "Digests". */
export type Digest = string & { readonly [kind]: "digest" };

/** Hex digits of each algorithm that the image specification registers. Anything else is refused, not trusted. */
const hexLength = { sha256: 64, sha512: 128 } as const;

export type DigestAlgorithm = keyof typeof hexLength;

export const isDigestAlgorithm = (text: string): text is DigestAlgorithm => Object.hasOwn(hexLength, text);

export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(":");
  const algorithm = text.slice(0, colon);
  if (colon < 0 || !isDigestAlgorithm(algorithm)) return false;
  const hex = text.slice(colon + 1);
  return hex.length === hexLength[algorithm] && /^[0-9a-f]+$/.test(hex);
}

/** @throws ImageFault DIGEST_INVALID */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new ImageFault(
    "DIGEST_INVALID",
    `"${text.slice(0, 160)}" is no digest: write sha256: and 64 lower-case hex digits, or sha512: and 128`,
  );
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

export const digestHex = (digest: Digest): string => digest.slice(digest.indexOf(":") + 1);

export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`);
}

/** Hashes and counts what passes through. */
export class Digester {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash;
  #size = 0;

  constructor(algorithm: DigestAlgorithm = "sha256") {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  get size(): number {
    return this.#size;
  }

  /** The digest of all that was given; call once. */
  digest(): Digest {
    return parseDigest(`${this.algorithm}:${this.#hash.digest("hex")}`);
  }
}

export interface Expected {
  readonly digest: Digest;
  /** Bytes; undefined where nobody promised a size. */
  readonly size?: number | undefined;
}

/** A stream that `verified` has made: whoever keeps its bytes under that digest need not look again. Read once. */
export class VerifiedBytes implements AsyncIterable<Uint8Array> {
  readonly expected: Expected;
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #what: string;

  /** Made by `verified` only. */
  constructor(source: AsyncIterable<Uint8Array>, expected: Expected, what: string) {
    this.#source = source;
    this.expected = expected;
    this.#what = what;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const { expected } = this;
    const digester = new Digester(digestAlgorithm(expected.digest));
    let held: Uint8Array | undefined;
    for await (const chunk of this.#source) {
      digester.update(chunk);
      if (expected.size !== undefined && digester.size > expected.size) {
        throw new ImageFault(
          "SIZE_MISMATCH",
          `${this.#what} is longer than the ${expected.size} bytes it was promised to have`,
        );
      }
      if (held !== undefined) yield held;
      held = chunk;
    }
    checkDigester(digester, expected, this.#what);
    if (held !== undefined) yield held;
  }
}

/**
 * Passes `source` on and checks it. The last chunk is held back until size and digest are known to be right, so a
 * reader never has all the bytes of something that is not what was promised. Bytes that are such a stream for the same promise are
 * checked once.
 *
 * @param what names the bytes in the fault: `layer sha256:… of registry/app`
 * @throws ImageFault SIZE_MISMATCH as soon as one byte too many comes, or at the end; DIGEST_MISMATCH at the end
 */
export function verified(source: AsyncIterable<Uint8Array>, expected: Expected, what: string): VerifiedBytes {
  const { digest, size } = expected;
  const isVerified =
    source instanceof VerifiedBytes &&
    source.expected.digest === digest &&
    (size === undefined || source.expected.size === size);
  return isVerified ? source : new VerifiedBytes(source, expected, what);
}

/** @throws ImageFault SIZE_MISMATCH | DIGEST_MISMATCH */
export function checkDigester(digester: Digester, expected: Expected, what: string): void {
  if (expected.size !== undefined && digester.size !== expected.size) {
    throw new ImageFault("SIZE_MISMATCH", `${what} has ${digester.size} bytes, promised were ${expected.size}`);
  }
  const actual = digester.digest();
  if (actual !== expected.digest) {
    throw new ImageFault("DIGEST_MISMATCH", `${what} has the digest ${actual}, promised was ${expected.digest}`);
  }
}

/** @throws ImageFault SIZE_MISMATCH | DIGEST_MISMATCH */
export function checkBytes(bytes: Uint8Array, expected: Expected, what: string): void {
  const digester = new Digester(digestAlgorithm(expected.digest));
  digester.update(bytes);
  checkDigester(digester, expected, what);
}
