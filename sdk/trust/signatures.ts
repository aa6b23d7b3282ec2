import {
  attach,
  type Descriptor,
  type Digest,
  digestOf,
  formatReference,
  ImageFault,
  type ImageManifest,
  mediaType,
  type RegistryClient,
  type Repository,
  signatureTag,
} from "@shallop/sdk/image";
import { type Evidence, simpleSigningType } from "./evidence.ts";
import type { SignKey } from "./keys.ts";

// cosign keeps the signatures of an image beside it: until version 2 as layers of a manifest under the tag
// `sha256-<hex>.sig`, since version 3 each as a bundle that refers to the image. Both are read, the first is written, as a
// manifest that refers to the image too.

const simpleSigningLayer = "application/vnd.dev.cosign.simplesigning.v1+json";
const signatureAnnotation = "dev.cosignproject.cosign/signature";
const signatureArtifact = "application/vnd.dev.cosign.artifact.sig.v1+json";
const bundleType = /^application\/vnd\.dev\.sigstore\.bundle\.v0\.\d+\+json$/;
/** What a list under the fallback tag calls everything whose config is empty. */
const emptyType = "application/vnd.oci.empty.v1+json";

/** An image is signed by a few; somebody who floods it with garbage must not make readers read for ever. */
const manifestsMax = 50;
const layersMax = 100;
/** A payload has 300 bytes, a bundle with a certificate and its proofs some ten thousand. */
const evidenceBytesMax = 256 * 1024;

/** A repository, and the image in it. */
export type SignedImage = Repository & { readonly digest: Digest };

/**
 * All that claims to be a signature of the image. Nothing of it is believed: `verifyEvidence` judges. What is not
 * well-formed is left out, so that garbage beside a good signature does no harm.
 *
 * @throws ImageFault as RegistryClient.manifest when the registry cannot be asked
 */
export async function readEvidence(
  client: RegistryClient,
  image: SignedImage,
  signal?: AbortSignal,
): Promise<readonly Evidence[]> {
  const { registry, repository, digest } = image;
  const tagged = await ifThere(() => client.manifest({ registry, repository, tag: signatureTag(digest) }, signal));
  const { manifests } = await client.referrers(image, digest, signal);
  const wanted = manifests.filter(({ artifactType = "" }) => isSignatureType(artifactType)).slice(0, manifestsMax);
  const evidence: Evidence[] = [];
  if (tagged?.document.kind === "manifest")
    evidence.push(...(await evidenceIn(client, image, tagged.document, signal)));
  for (const entry of wanted.filter((one) => one.digest !== tagged?.descriptor.digest)) {
    const found = await ifThere(() => client.manifest({ registry, repository, digest: entry.digest }, signal));
    if (found?.document.kind !== "manifest" || found.document.subject?.digest !== digest) continue;
    evidence.push(...(await evidenceIn(client, image, found.document, signal)));
  }
  return evidence;
}

const isSignatureType = (type: string): boolean =>
  type === signatureArtifact || type === emptyType || bundleType.test(type);

async function evidenceIn(
  client: RegistryClient,
  repository: Repository,
  manifest: ImageManifest,
  signal: AbortSignal | undefined,
): Promise<readonly Evidence[]> {
  const found: Evidence[] = [];
  for (const layer of manifest.layers.slice(0, layersMax)) {
    const isKnown = layer.mediaType === simpleSigningLayer || bundleType.test(layer.mediaType);
    if (!isKnown || layer.size > evidenceBytesMax) continue;
    const bytes = await ifThere(() => client.bytes(repository, layer, signal));
    const evidence = bytes === undefined ? undefined : evidenceOf(layer, bytes);
    if (evidence !== undefined) found.push(evidence);
  }
  return found;
}

function evidenceOf(layer: Descriptor, bytes: Uint8Array): Evidence | undefined {
  if (layer.mediaType !== simpleSigningLayer) return bundleEvidence(bytes);
  const signature = layer.annotations?.[signatureAnnotation];
  return signature === undefined
    ? undefined
    : { form: "simple", payload: bytes, signature: Buffer.from(signature, "base64") };
}

interface BundleJson {
  readonly dsseEnvelope?: {
    readonly payloadType?: unknown;
    readonly payload?: unknown;
    readonly signatures?: readonly { readonly sig?: unknown }[];
  };
}

/** A Sigstore bundle, as far as a key needs it; certificates and logs are for signatures without keys. */
function bundleEvidence(bytes: Uint8Array): Evidence | undefined {
  try {
    const { dsseEnvelope } = JSON.parse(new TextDecoder().decode(bytes)) as BundleJson;
    const { payloadType, payload, signatures } = dsseEnvelope ?? {};
    const signature = signatures?.[0]?.sig;
    if (typeof payloadType !== "string" || typeof payload !== "string" || typeof signature !== "string")
      return undefined;
    const [body, sig] = [Buffer.from(payload, "base64"), Buffer.from(signature, "base64")];
    return { form: "dsse", payloadType, payload: body, signature: sig };
  } catch {
    return undefined;
  }
}

/** Undefined for what the registry does not have, or has broken: it is no evidence. */
async function ifThere<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  const harmless = [
    "MANIFEST_UNKNOWN",
    "MANIFEST_INVALID",
    "BLOB_UNKNOWN",
    "DIGEST_MISMATCH",
    "SIZE_MISMATCH",
    "TOO_LARGE",
  ];
  try {
    return await read();
  } catch (error) {
    if (error instanceof ImageFault && harmless.includes(error.code)) return undefined;
    throw error;
  }
}

/**
 * Signs an image, beside the signatures that it has, and stores the signature in its repository.
 *
 * @throws ImageFault as RegistryClient.pushManifest
 */
export async function signImage(
  client: RegistryClient,
  image: SignedImage & { readonly target: Descriptor },
  key: SignKey,
): Promise<Digest> {
  const { registry, repository, digest } = image;
  const payload = new TextEncoder().encode(
    JSON.stringify({
      critical: {
        identity: { "docker-reference": formatReference({ registry, repository }) },
        image: { "docker-manifest-digest": digest },
        type: simpleSigningType,
      },
      optional: null,
    }),
  );
  const signature = Buffer.from(key.sign(payload)).toString("base64");
  const fresh = { mediaType: simpleSigningLayer, bytes: payload, annotations: { [signatureAnnotation]: signature } };
  const layers = [...(await signedBefore(client, image, key)), fresh];
  // As cosign writes it: an image whose layers are the payloads.
  const diffIds = layers.map(({ bytes }) => digestOf(bytes));
  const config = { architecture: "", os: "", config: {}, rootfs: { type: "layers", diff_ids: diffIds } };
  return attach(client, image, image.target, {
    artifactType: signatureArtifact,
    config: { mediaType: mediaType.config, bytes: new TextEncoder().encode(JSON.stringify(config)) },
    layers,
    tag: signatureTag(digest),
  });
}

/** The signatures that others have made; one of the same key is replaced. */
async function signedBefore(client: RegistryClient, image: SignedImage, key: SignKey) {
  const { registry, repository, digest } = image;
  const tagged = await ifThere(() => client.manifest({ registry, repository, tag: signatureTag(digest) }));
  if (tagged?.document.kind !== "manifest") return [];
  const evidence = await evidenceIn(client, image, tagged.document, undefined);
  return evidence
    .filter((one) => one.form === "simple" && !key.verifies(one.payload, one.signature))
    .slice(0, layersMax - 1)
    .map(({ payload, signature }) => ({
      mediaType: simpleSigningLayer,
      bytes: payload,
      annotations: { [signatureAnnotation]: Buffer.from(signature).toString("base64") },
    }));
}
