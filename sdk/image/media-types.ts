/** Media types of images, as the OCI image specification, Docker and the Wasm conventions write them. */
export const mediaType = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  /** CNCF TAG-Runtime, "Wasm OCI Artifact" v0. */
  wasmConfig: "application/vnd.wasm.config.v0+json",
  wasmLayer: "application/wasm",
  layerTar: "application/vnd.oci.image.layer.v1.tar",
  layerTarGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerTarZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  octets: "application/octet-stream",
} as const;

/** What we ask a registry for; the order is that of our preference. */
export const manifestMediaTypes: readonly string[] = [
  mediaType.index,
  mediaType.manifest,
  mediaType.dockerList,
  mediaType.dockerManifest,
];

export const isIndexType = (type: string): boolean => type === mediaType.index || type === mediaType.dockerList;

export const isManifestType = (type: string): boolean =>
  type === mediaType.manifest || type === mediaType.dockerManifest;

/** Layers that are the bytes of a Wasm file: CNCF, wasm-to-oci and its heirs, proxy-wasm, runwasi. */
const wasmLayerTypes: readonly string[] = [
  mediaType.wasmLayer,
  "application/vnd.wasm.content.layer.v1+wasm",
  "application/vnd.module.wasm.content.layer.v1+wasm",
  "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];

export const isWasmLayerType = (type: string): boolean => wasmLayerTypes.includes(type);

/** Configs that say that the artifact is a Wasm file. */
const wasmConfigTypes: readonly string[] = [
  mediaType.wasmConfig,
  "application/vnd.wasm.config.v1+json",
  "application/vnd.module.wasm.config.v1+json",
];

export const isWasmConfigType = (type: string): boolean => wasmConfigTypes.includes(type);

export const isImageConfigType = (type: string): boolean =>
  type === mediaType.config || type === mediaType.dockerConfig;

/** Layers that are file system changes, compressed or not; how, the first bytes tell (Docker's types may lie). */
const tarLayerPattern =
  /^application\/vnd\.(oci\.image\.layer\.(v1|nondistributable\.v1)\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.(diff\.tar(\.gzip|\.zstd)?|foreign\.diff\.tar\.gzip))$/;

export const isTarLayerType = (type: string): boolean => tarLayerPattern.test(type);

/** Layers that a registry need not hold: their bytes come from `urls`. Deprecated in image-spec 1.1. */
export const isForeignLayerType = (type: string): boolean =>
  tarLayerPattern.test(type) && /nondistributable|foreign/.test(type);
