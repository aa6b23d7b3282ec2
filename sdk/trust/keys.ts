import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from "node:crypto";
import { decryptKey, isEncryptedKey } from "./encrypted-key.ts";
import { TrustFault } from "./fault.ts";

/** Curves and kinds that cosign signs with; anything else is refused, not tried. */
const curves: readonly string[] = ["prime256v1", "secp384r1", "secp521r1"];
const rsaBitsMin = 2_048;
/** A PEM of an RSA key of 8192 bits has 6 KB. */
const pemBytesMax = 32 * 1024;

/** A key that signatures are checked with. */
export interface VerifyKey {
  /** Lower-case hex of the SHA-256 of its SubjectPublicKeyInfo: the same key is the same id everywhere. */
  readonly id: string;
  verifies(bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** A key that signs. */
export interface SignKey extends VerifyKey {
  sign(bytes: Uint8Array): Uint8Array;
}

/**
 * Reads a public key: PEM of a SubjectPublicKeyInfo, as `cosign.pub` is.
 *
 * @throws TrustFault KEY_INVALID
 */
export function parseVerifyKey(pem: string): VerifyKey {
  if (pem.length > pemBytesMax || !pem.includes("-----BEGIN PUBLIC KEY-----")) {
    throw new TrustFault("KEY_INVALID", "this is no public key: a PEM that begins with BEGIN PUBLIC KEY is wanted");
  }
  try {
    return verifyKeyOf(createPublicKey(pem));
  } catch (error) {
    if (error instanceof TrustFault) throw error;
    throw new TrustFault("KEY_INVALID", "the public key cannot be read", { cause: error });
  }
}

/**
 * Reads a private key: PKCS #8 in PEM, or cosign's encrypted form.
 *
 * @param password of an encrypted key; undefined when nobody gave one
 * @throws TrustFault KEY_INVALID | PASSWORD_WRONG
 */
export function parseSignKey(pem: string, password: string | undefined): SignKey {
  if (pem.length > pemBytesMax) throw new TrustFault("KEY_INVALID", "this is no private key: it is too long");
  if (isEncryptedKey(pem)) return signKeyOf(decryptKey(pem, password));
  if (!pem.includes("-----BEGIN PRIVATE KEY-----")) {
    const text = "this is no private key: cosign's, or a PEM that begins with BEGIN PRIVATE KEY, is wanted";
    throw new TrustFault("KEY_INVALID", text);
  }
  try {
    return signKeyOf(createPrivateKey(pem));
  } catch (error) {
    if (error instanceof TrustFault) throw error;
    throw new TrustFault("KEY_INVALID", "the private key cannot be read", { cause: error });
  }
}

export type KeyType = "ecdsa-p256" | "ed25519";

/** A new pair: the private key as PKCS #8 (DER), the public one as PEM. */
export function generateKeyPair(type: KeyType): { readonly privateDer: Buffer; readonly publicPem: string } {
  const { privateKey, publicKey } =
    type === "ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return {
    privateDer: privateKey.export({ format: "der", type: "pkcs8" }),
    publicPem: publicKey.export({ format: "pem", type: "spki" }),
  };
}

function signKeyOf(key: KeyObject): SignKey {
  const verify = verifyKeyOf(createPublicKey(key));
  return { ...verify, sign: (bytes) => signBytes(hashOf(key), bytes, key) };
}

function verifyKeyOf(key: KeyObject): VerifyKey {
  const details = key.asymmetricKeyDetails ?? {};
  const isGood =
    key.asymmetricKeyType === "ed25519" ||
    (key.asymmetricKeyType === "ec" && curves.includes(details.namedCurve ?? "")) ||
    (key.asymmetricKeyType === "rsa" && (details.modulusLength ?? 0) >= rsaBitsMin);
  if (!isGood) {
    const kind = [key.asymmetricKeyType, details.namedCurve ?? details.modulusLength ?? ""].join(" ").trim();
    throw new TrustFault(
      "KEY_INVALID",
      `a key of kind ${kind} is not used: take ECDSA P-256, Ed25519 or RSA of 2048 bits`,
    );
  }
  const id = createHash("sha256")
    .update(key.export({ format: "der", type: "spki" }))
    .digest("hex");
  return { id, verifies: (bytes, signature) => verifyBytes(hashOf(key), bytes, key, signature) };
}

/** Ed25519 hashes by itself; of the others cosign takes SHA-256, whatever the curve. */
const hashOf = (key: KeyObject): "sha256" | null => (key.asymmetricKeyType === "ed25519" ? null : "sha256");
