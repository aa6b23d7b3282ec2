import { attach, mediaType, signatureTag } from "@shallop/sdk/image";
import {
  documentAttachment,
  encryptKey,
  generateKeyPair,
  type KeyType,
  parseSignKey,
  parseVerifyKey,
  readEvidence,
  signImage,
  spdxDocument,
  spdxType,
  verifyEvidence,
} from "@shallop/sdk/trust";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bench, openBench } from "./image.fixture.ts";

// Signatures against our own registry. What cosign makes of them, and we of cosign's, is in sdk/trust.

let bench: Bench;

beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

const pairOf = (type: KeyType = "ecdsa-p256") => {
  const { privateDer, publicPem } = generateKeyPair(type);
  return { signKey: parseSignKey(encryptKey(privateDer, "secret"), "secret"), verifyKey: parseVerifyKey(publicPem) };
};

async function published(name: string) {
  const { index } = await bench.publish(`${name}:1`);
  const { registry, repository } = bench.reference(`${name}:1`);
  return { registry, repository, digest: index.digest, target: index };
}

describe.each(["ecdsa-p256", "ed25519"] as const)("%s", (type) => {
  test("an image that was signed is verified by the key, and by no other", async () => {
    const image = await published(`signed-${type}`);
    const [mine, other] = [pairOf(type), pairOf(type)];
    await signImage(bench.client, image, mine.signKey);
    const evidence = await readEvidence(bench.client, image);
    expect(verifyEvidence(evidence, image.digest, [other.verifyKey, mine.verifyKey])).toEqual([
      { form: "simple", keyId: mine.verifyKey.id, identity: `${image.registry}/${image.repository}` },
    ]);
    expect(() => verifyEvidence(evidence, image.digest, [other.verifyKey])).toThrow(/none of the keys/);
    expect(() => verifyEvidence(evidence, image.digest, [])).toThrow(/none of the keys/);
  });
});

test("a signature is found under cosign's tag and as a referrer; signers stand beside each other", async () => {
  const image = await published("both");
  const [one, two] = [pairOf(), pairOf("ed25519")];
  await signImage(bench.client, image, one.signKey);
  await signImage(bench.client, image, two.signKey);
  const digest = await signImage(bench.client, image, two.signKey);
  const { registry, repository } = image;
  const tagged = await bench.client.manifest({ registry, repository, tag: signatureTag(image.digest) });
  expect(tagged.descriptor.digest).toBe(digest);
  const { hasApi, manifests } = await bench.client.referrers(image, image.digest);
  expect(hasApi).toBe(true);
  expect(manifests.map((entry) => entry.digest)).toContain(digest);
  const evidence = await readEvidence(bench.client, image);
  const ids = [one, two].map(({ verifyKey }) => verifyEvidence(evidence, image.digest, [verifyKey])[0]?.keyId);
  expect(ids).toEqual([one.verifyKey.id, two.verifyKey.id]);
});

test("no signature, and one that was made for another image, are refused", async () => {
  const [plain, signed] = [await published("plain"), await published("other")];
  const { signKey, verifyKey } = pairOf();
  const none = await readEvidence(bench.client, plain);
  expect(() => verifyEvidence(none, plain.digest, [verifyKey])).toThrow(
    expect.objectContaining({ code: "SIGNATURE_MISSING" }),
  );
  // The same digest signed in the other repository, under whose name a thief puts the signature beside another image.
  await bench.publish("other:2", { app: "x" });
  const thief = { ...bench.reference("other:2") };
  const second = await bench.client.manifest(thief);
  await signImage(bench.client, signed, signKey);
  const { registry, repository } = signed;
  const good = await bench.client.manifest({ registry, repository, tag: signatureTag(signed.digest) });
  const replayed = { registry, repository, tag: signatureTag(second.descriptor.digest) };
  await bench.client.pushManifest(replayed, { bytes: good.bytes, mediaType: mediaType.manifest });
  const evidence = await readEvidence(bench.client, { ...signed, digest: second.descriptor.digest });
  expect(evidence).toHaveLength(1);
  expect(() => verifyEvidence(evidence, second.descriptor.digest, [verifyKey])).toThrow(/of another image/);
});

test("documents are referrers of the image, each under its own type, once however often they are attached", async () => {
  const image = await published("billed");
  const subject = { name: "billed", digest: image.digest, created: "1970-01-01T00:00:00Z" };
  const bill = documentAttachment(spdxType, spdxDocument(subject, []), subject.created);
  for (let times = 0; times < 2; times++) await attach(bench.client, image, image.target, bill);
  await signImage(bench.client, image, pairOf().signKey);
  const { manifests } = await bench.client.referrers(image, image.digest);
  expect(new Set(manifests.map(({ artifactType }) => artifactType))).toEqual(
    new Set([spdxType, "application/vnd.dev.cosign.artifact.sig.v1+json"]),
  );
  expect(manifests).toHaveLength(2);
});

test("garbage beside a good signature does no harm", async () => {
  const image = await published("garbage");
  const { signKey, verifyKey } = pairOf();
  await signImage(bench.client, image, signKey);
  const layer = "application/vnd.dev.cosign.simplesigning.v1+json";
  const bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
  for (const [type, text] of [
    [layer, "no json"],
    [bundle, "{"],
    [bundle, '{"dsseEnvelope":{"payloadType":1}}'],
  ] as const) {
    const annotations = { "dev.cosignproject.cosign/signature": "AAAA" };
    await attach(bench.client, image, image.target, {
      artifactType: type === layer ? "application/vnd.dev.cosign.artifact.sig.v1+json" : bundle,
      layers: [{ mediaType: type, bytes: new TextEncoder().encode(text), annotations }],
    });
  }
  const evidence = await readEvidence(bench.client, image);
  expect(verifyEvidence(evidence, image.digest, [verifyKey])).toHaveLength(1);
});
