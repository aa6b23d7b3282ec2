import { once } from "./content-store.ts";
import { type Digest, digestOf } from "./digest.ts";
import type { Descriptor } from "./manifest.ts";
import { mediaType } from "./media-types.ts";
import { imageTag, type ImageTag, referrersTag } from "./reference.ts";
import type { RegistryClient, Repository } from "./registry-client.ts";

/** Something that is kept beside an image: a signature, a bill of materials, a statement of how it was made. */
export interface Attachment {
  /** What it is: `application/spdx+json`. */
  readonly artifactType: string;
  readonly layers: readonly AttachedLayer[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** The config's type and bytes; the empty one of OCI unless given. */
  readonly config?: { readonly mediaType: string; readonly bytes: Uint8Array };
  /** Also under this tag, for readers that look for one. */
  readonly tag?: ImageTag;
}

interface AttachedLayer {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Image specification, "Guidance for an Empty Descriptor". */
const emptyConfig = { mediaType: "application/vnd.oci.empty.v1+json", bytes: new TextEncoder().encode("{}") };

/** The manifest of an attachment, with the blobs that it names. */
function attachmentManifest(attachment: Attachment, subject: Descriptor): { bytes: Uint8Array; blobs: Blob[] } {
  const config = blobOf(attachment.config ?? emptyConfig);
  const layers = attachment.layers.map(blobOf);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    artifactType: attachment.artifactType,
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    ...(attachment.annotations === undefined ? {} : { annotations: attachment.annotations }),
  };
  return { bytes: new TextEncoder().encode(JSON.stringify(manifest)), blobs: [config, ...layers] };
}

interface Blob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

function blobOf(layer: AttachedLayer): Blob {
  const { bytes, annotations } = layer;
  const descriptor = { mediaType: layer.mediaType, digest: digestOf(bytes), size: bytes.length };
  return { bytes, descriptor: annotations === undefined ? descriptor : { ...descriptor, annotations } };
}

/**
 * Puts an attachment beside an image in a registry. Where the registry keeps no list of what refers to an image, the list
 * under the fallback tag is written too (distribution specification, "Pushing Manifests with Subject").
 *
 * @returns the digest of the attachment's manifest
 * @throws ImageFault as RegistryClient.pushBlob and .pushManifest
 */
export async function attach(
  client: RegistryClient,
  repository: Repository,
  subject: Descriptor,
  attachment: Attachment,
): Promise<Digest> {
  const { registry, repository: name } = repository;
  const { bytes, blobs } = attachmentManifest(attachment, subject);
  for (const { descriptor, bytes: all } of blobs) {
    await client.pushBlob(repository, { descriptor, open: (offset) => once(all.subarray(offset)) });
  }
  const manifest = { bytes, mediaType: mediaType.manifest };
  const where = { registry, repository: name, ...(attachment.tag === undefined ? {} : { tag: attachment.tag }) };
  const pushed = await client.pushManifest(where, manifest);
  const { hasApi, manifests } = await client.referrers(repository, subject.digest);
  if (hasApi || manifests.some(({ digest }) => digest === pushed.digest)) return pushed.digest;
  const { artifactType, annotations } = attachment;
  const entry = { ...pushed, artifactType, ...(annotations === undefined ? {} : { annotations }) };
  const index = { schemaVersion: 2, mediaType: mediaType.index, manifests: [...manifests, entry] };
  const list = { bytes: new TextEncoder().encode(JSON.stringify(index)), mediaType: mediaType.index };
  await client.pushManifest({ registry, repository: name, tag: imageTag(referrersTag(subject.digest)) }, list);
  return pushed.digest;
}
