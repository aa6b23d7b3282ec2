import { type Digest, digestAlgorithm, digestHex } from "@shallop/sdk/image";
import { inTotoType } from "./statements.ts";
import { TrustFault } from "./fault.ts";
import type { VerifyKey } from "./keys.ts";

/**
 * What somebody says about an image, signed: bytes and a signature over them, in one of cosign's two forms. `simple` is
 * the simple signing payload of cosign until version 2; `dsse` the envelope of a Sigstore bundle (version 3).
 */
export type Evidence =
  | { readonly form: "simple"; readonly payload: Uint8Array; readonly signature: Uint8Array }
  | {
      readonly form: "dsse";
      readonly payloadType: string;
      readonly payload: Uint8Array;
      readonly signature: Uint8Array;
    };

/** A signature that was found good. */
export interface VerifiedSignature {
  readonly form: Evidence["form"];
  readonly keyId: string;
  /** The name that the image had for who signed it; said by them, bound to nothing. */
  readonly identity: string;
}

export const simpleSigningType = "cosign container image signature";
/** What a bundle of `cosign sign` states. */
const signPredicateType = "https://sigstore.dev/cosign/sign/v1";

/**
 * Those of the evidence that one of the keys has signed for exactly this digest. The signature is checked first: what
 * nobody has signed is not even parsed.
 *
 * @throws TrustFault SIGNATURE_MISSING | SIGNATURE_INVALID: never an empty list
 */
export function verifyEvidence(
  evidence: readonly Evidence[],
  digest: Digest,
  keys: readonly VerifyKey[],
): readonly VerifiedSignature[] {
  if (evidence.length === 0) throw new TrustFault("SIGNATURE_MISSING", `${digest} has no signature`);
  const good: VerifiedSignature[] = [];
  const problems = new Set<string>();
  // cosign keeps a signature that was there when it adds one, so that it is found at two places.
  const seen = new Set<string>();
  for (const one of evidence) {
    const text = [one.signature, one.payload].map((bytes) => Buffer.from(bytes).toString("base64")).join(" ");
    if (seen.has(text)) continue;
    seen.add(text);
    const key = keys.find((candidate) => isSignedBy(one, candidate));
    const statement = key === undefined ? "none of the keys has made it" : statementOf(one, digest);
    if (typeof statement === "string") problems.add(statement);
    else if (key !== undefined) good.push({ form: one.form, keyId: key.id, identity: statement.identity });
  }
  if (good.length > 0) return good;
  const count = evidence.length === 1 ? "1 signature, which is not good" : `${evidence.length} signatures, none good`;
  throw new TrustFault("SIGNATURE_INVALID", `${digest} has ${count}: ${[...problems].join("; ")}`);
}

function isSignedBy(evidence: Evidence, key: VerifyKey): boolean {
  try {
    return key.verifies(signedBytes(evidence), evidence.signature);
  } catch {
    // Bytes that are no signature of this kind of key.
    return false;
  }
}

function signedBytes(evidence: Evidence): Uint8Array {
  return evidence.form === "simple" ? evidence.payload : envelopeBytes(evidence.payloadType, evidence.payload);
}

/** DSSE 1.0, "Signature Definition": the pre-authentication encoding, which is what is signed. */
function envelopeBytes(payloadType: string, payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** What a payload, known to be signed, says; or why it is not about this image. */
function statementOf(evidence: Evidence, digest: Digest): { readonly identity: string } | string {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(evidence.payload));
  } catch {
    return "what is signed is no JSON";
  }
  return evidence.form === "simple" ? simpleStatement(json, digest) : inTotoStatement(evidence, json, digest);
}

/** Red Hat's "simple signing" as cosign writes it. */
function simpleStatement(json: unknown, digest: Digest): { readonly identity: string } | string {
  const critical = field(json, "critical");
  if (field(critical, "type") !== simpleSigningType) return "what is signed is not a signature of an image";
  if (field(field(critical, "image"), "docker-manifest-digest") !== digest) return "it is of another image";
  const identity = field(field(critical, "identity"), "docker-reference");
  return { identity: typeof identity === "string" ? identity : "" };
}

function inTotoStatement(
  { payloadType }: Extract<Evidence, { form: "dsse" }>,
  json: unknown,
  digest: Digest,
): { readonly identity: string } | string {
  const isSignature = payloadType === inTotoType && field(json, "_type") === "https://in-toto.io/Statement/v1";
  if (!isSignature || field(json, "predicateType") !== signPredicateType) {
    return "what is signed is not a signature of an image";
  }
  const subjects = field(json, "subject");
  const subject = (Array.isArray(subjects) ? (subjects as readonly unknown[]) : []).find(
    (one) => field(field(one, "digest"), digestAlgorithm(digest)) === digestHex(digest),
  );
  if (subject === undefined) return "it is of another image";
  const name = field(subject, "name");
  return { identity: typeof name === "string" ? name : "" };
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
