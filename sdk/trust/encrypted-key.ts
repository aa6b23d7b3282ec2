import { createPrivateKey, type KeyObject, randomBytes, scryptSync } from "node:crypto";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { TrustFault } from "./fault.ts";

// The private keys of `cosign generate-key-pair`: PKCS #8 in NaCl's secretbox, under a key that scrypt makes of the
// password (go-securesystemslib, "encrypted"), as JSON in a PEM.

const label = "ENCRYPTED SIGSTORE PRIVATE KEY";
/** cosign before version 2 wrote the other one. */
const labels: readonly string[] = [label, "ENCRYPTED COSIGN PRIVATE KEY"];

/** What is written: cosign's own numbers. 64 MB and a tenth of a second. */
const scryptCost = { N: 65_536, r: 8, p: 1 };
/** More would be an attack on who opens the file; no writer of such files takes more. */
const scryptCostMax = 131_072;

const saltBytes = 32;
const nonceBytes = 24;

export const isEncryptedKey = (pem: string): boolean => labels.some((one) => pem.includes(`-----BEGIN ${one}-----`));

/** @param privateDer PKCS #8 */
export function encryptKey(privateDer: Uint8Array, password: string): string {
  const salt = randomBytes(saltBytes);
  const nonce = randomBytes(nonceBytes);
  const box = xsalsa20poly1305(derivedKey(password, salt, scryptCost.N), nonce).encrypt(privateDer);
  const json = {
    kdf: { name: "scrypt", params: scryptCost, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(box).toString("base64"),
  };
  return pemOf(label, Buffer.from(JSON.stringify(json)));
}

/** @throws TrustFault KEY_INVALID | PASSWORD_WRONG */
export function decryptKey(pem: string, password: string | undefined): KeyObject {
  const { salt, nonce, ciphertext, cost } = parseBox(pem);
  if (password === undefined) throw new TrustFault("PASSWORD_WRONG", "the private key is encrypted; give its password");
  let der: Uint8Array;
  try {
    der = xsalsa20poly1305(derivedKey(password, salt, cost), nonce).decrypt(ciphertext);
  } catch (error) {
    throw new TrustFault("PASSWORD_WRONG", "the password of the private key is wrong", { cause: error });
  }
  try {
    return createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  } catch (error) {
    throw new TrustFault("KEY_INVALID", "what the private key's file holds is no key", { cause: error });
  }
}

const derivedKey = (password: string, salt: Uint8Array, cost: number): Uint8Array =>
  scryptSync(password, salt, 32, { N: cost, r: scryptCost.r, p: scryptCost.p, maxmem: 256 * 1024 * 1024 });

interface SealedBox {
  readonly salt: Buffer;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
  readonly cost: number;
}

interface BoxJson {
  readonly kdf?: {
    readonly name?: unknown;
    readonly params?: Readonly<Record<string, unknown>>;
    readonly salt?: unknown;
  };
  readonly cipher?: { readonly name?: unknown; readonly nonce?: unknown };
  readonly ciphertext?: unknown;
}

function parseBox(pem: string): SealedBox {
  const body = /-----BEGIN [A-Z ]+-----([\s\S]+?)-----END/.exec(pem)?.[1] ?? "";
  let json: BoxJson;
  try {
    json = JSON.parse(Buffer.from(body, "base64").toString("utf8")) as BoxJson;
  } catch (error) {
    throw new TrustFault("KEY_INVALID", "the encrypted key is not what cosign writes", { cause: error });
  }
  const { N: cost, r, p } = json.kdf?.params ?? {};
  const isCostGood = typeof cost === "number" && cost >= 2 && cost <= scryptCostMax && (cost & (cost - 1)) === 0;
  const isGood =
    json.kdf?.name === "scrypt" && json.cipher?.name === "nacl/secretbox" && isCostGood && r === 8 && p === 1;
  const box = { salt: base64(json.kdf?.salt), nonce: base64(json.cipher?.nonce), ciphertext: base64(json.ciphertext) };
  if (!isGood || box.nonce.length !== nonceBytes || box.salt.length === 0) {
    throw new TrustFault("KEY_INVALID", "the key is encrypted in a way that cosign does not use");
  }
  return { ...box, cost };
}

const base64 = (value: unknown): Buffer => Buffer.from(typeof value === "string" ? value : "", "base64");

/** RFC 7468: lines of 64 characters. */
function pemOf(name: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${name}-----\n${lines.join("\n")}\n-----END ${name}-----\n`;
}
