import type { Digest } from "@shallop/sdk/image";
import { describe, expect, test } from "vitest";
import {
  cosignDigest,
  cosignEnvelope,
  cosignPassword,
  cosignPrivateKey,
  cosignPublicKey,
  cosignSimple,
} from "./cosign.fixture.ts";
import { decryptKey, encryptKey, isEncryptedKey } from "./encrypted-key.ts";
import { type Evidence, verifyEvidence } from "./evidence.ts";
import { generateKeyPair, parseSignKey, parseVerifyKey } from "./keys.ts";

const digest = cosignDigest as Digest;
const simple: Evidence = {
  form: "simple",
  payload: Buffer.from(cosignSimple.payload),
  signature: Buffer.from(cosignSimple.signature, "base64"),
};
const dsse: Evidence = {
  form: "dsse",
  payloadType: cosignEnvelope.payloadType,
  payload: Buffer.from(cosignEnvelope.payload, "base64"),
  signature: Buffer.from(cosignEnvelope.signature, "base64"),
};
const key = parseVerifyKey(cosignPublicKey);

test("cosign's key is read with its password, and with no other", () => {
  expect(parseSignKey(cosignPrivateKey, cosignPassword).id).toBe(key.id);
  const wrong = expect.objectContaining({ code: "PASSWORD_WRONG" }) as Error;
  expect(() => parseSignKey(cosignPrivateKey, "Secret")).toThrow(wrong);
  expect(() => parseSignKey(cosignPrivateKey, undefined)).toThrow(wrong);
});

test("a key of ours is as cosign's: encrypted, and read again", () => {
  const { privateDer, publicPem } = generateKeyPair("ecdsa-p256");
  const pem = encryptKey(privateDer, "");
  expect(isEncryptedKey(pem)).toBe(true);
  expect(decryptKey(pem, "").export({ format: "der", type: "pkcs8" }).equals(privateDer)).toBe(true);
  expect(parseSignKey(pem, "").id).toBe(parseVerifyKey(publicPem).id);
});

describe.each([
  ["simple", simple],
  ["dsse", dsse],
] as const)("a signature of cosign, %s", (form, evidence) => {
  const invalid = expect.objectContaining({ code: "SIGNATURE_INVALID" }) as Error;

  test("is good for its image and its key", () => {
    expect(verifyEvidence([evidence], digest, [key])).toMatchObject([{ form, keyId: key.id }]);
  });

  test("is not for another image, another key, or when a byte was changed", () => {
    const other = `sha256:${"0".repeat(64)}` as Digest;
    expect(() => verifyEvidence([evidence], other, [key])).toThrow(invalid);
    const stranger = parseVerifyKey(generateKeyPair("ecdsa-p256").publicPem);
    expect(() => verifyEvidence([evidence], digest, [stranger])).toThrow(invalid);
    for (const part of ["payload", "signature"] as const) {
      for (let at = 0; at < evidence[part].length; at += 7) {
        const changed = Buffer.from(evidence[part]);
        changed[at] = (changed[at] ?? 0) ^ 1;
        expect(() => verifyEvidence([{ ...evidence, [part]: changed }], digest, [key])).toThrow(invalid);
      }
    }
    if (evidence.form === "dsse") {
      const retyped = { ...evidence, payloadType: "application/json" };
      expect(() => verifyEvidence([retyped], digest, [key])).toThrow(invalid);
    }
  });
});

test("what a key has signed that is no signature of an image is refused", () => {
  const { privateDer, publicPem } = generateKeyPair("ed25519");
  const mine = parseSignKey(encryptKey(privateDer, ""), "");
  const forms: readonly unknown[] = [
    { critical: { image: { "docker-manifest-digest": digest }, type: "something else" } },
    { critical: { type: "cosign container image signature" } },
    [],
    null,
  ];
  for (const form of forms) {
    const payload = Buffer.from(JSON.stringify(form));
    const evidence: Evidence = { form: "simple", payload, signature: mine.sign(payload) };
    expect(() => verifyEvidence([evidence], digest, [parseVerifyKey(publicPem)])).toThrow();
  }
});

test.each([
  ["no key", "hello"],
  ["a private key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"],
  ["garbage in a frame", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"],
  [
    "a curve that nobody signs with",
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n-----END PUBLIC KEY-----",
  ],
])("%s is no public key", (_name, pem) => {
  expect(() => parseVerifyKey(pem)).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
});
