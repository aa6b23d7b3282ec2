export { type LoadedImage, readArchive } from "./archive-reader.ts";
export { type ArchivedImage, writeArchive } from "./archive-writer.ts";
export {
  type BlobInfo,
  type BlobRange,
  collectBytes,
  ContentStore,
  fileBytes,
  once,
  syncDirectory,
} from "./content-store.ts";
export {
  checkBytes,
  checkDigester,
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  Digester,
  digestHex,
  digestOf,
  type Expected,
  isDigest,
  isDigestAlgorithm,
  parseDigest,
  verified,
} from "./digest.ts";
export { type Credentials, type CredentialSource, DockerCredentials, noCredentials } from "./docker-credentials.ts";
export { ImageFault, type ImageFaultCode } from "./fault.ts";
export { findImage, fullName, type ImageHome, imageNamed } from "./find-image.ts";
export { type HistoryStep, parseHistory } from "./history.ts";
export { type ImageFilter, matchesAll, matchesReference, parseFilters, referencePatterns } from "./image-filters.ts";
export { ImageTags, type TaggedImage } from "./image-tags.ts";
export { packDirectory, storeArchive, type StoredLayer } from "./layer-archive.ts";
export {
  bareType,
  type ComponentFacts,
  type Descriptor,
  formatPlatform,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  type ManifestBlob,
  manifestBlob,
  manifestBytesMax,
  type ManifestDocument,
  parseImageConfig,
  parseManifest,
  parseWasmConfig,
  type Platform,
  referencesOf,
  type WasmConfig,
} from "./manifest.ts";
export { PieceWriter } from "./piece-writer.ts";
export { isForPlatform, parsePlatform } from "./platform.ts";
export {
  isForeignLayerType,
  isImageConfigType,
  isIndexType,
  isManifestType,
  isTarLayerType,
  isWasmConfigType,
  isWasmLayerType,
  manifestMediaTypes,
  mediaType,
} from "./media-types.ts";
export { copyImage, type MoveOptions, type PushedImage, pullImage, pushImage } from "./move-image.ts";
export {
  formatReference,
  type ImageReference,
  type ImageTag,
  imageTag,
  isImageTag,
  isLoopbackHost,
  isRepositoryName,
  parseReference,
  pinned,
  type RegistryHost,
  registryHost,
  registryUrl,
  type RepositoryName,
  repositoryName,
  retagged,
  signatureTag,
  wasmTag,
} from "./reference.ts";
export { attach, type Attachment } from "./referrers.ts";
export type { RegistryEndpoint } from "./registry-call.ts";
export {
  type OnProgress,
  RegistryClient,
  type RegistryClientOptions,
  type Repository,
  type TransferOptions,
} from "./registry-client.ts";
export { parseMirrors, type RegistryMirrors } from "./registry-mirrors.ts";
export { registrySecret } from "./registry-secret.ts";
export {
  anonymousUser,
  passwordMatches,
  type RegistryGrant,
  type RegistryUser,
  RegistryUsers,
} from "./registry-users.ts";
export {
  type PrunableImages,
  prunableImages,
  pruneImages,
  type RemovedImages,
  removeImageByName,
} from "./remove-image.ts";
export { freedBy, type StoredImage, storedImages } from "./store-usage.ts";
export {
  type NativeVariant,
  type ReadBlob,
  readVariants,
  type Variant,
  type VariantList,
  type WasmContent,
  type WasmVariant,
} from "./variants.ts";
export {
  type ImageSource,
  type LayerSource,
  type NativeConfigSource,
  type NativeSource,
  type StoredVariant,
  type WasmSource,
  writeImage,
  type WrittenImage,
} from "./write-image.ts";
