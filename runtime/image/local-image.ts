/** An image's variant that is on this node, verified and unpacked. */
export type LocalImage = LocalWasmImage | LocalNativeImage;

export interface LocalWasmImage {
  readonly variant: "wasm";
  /** Digest of the variant's manifest. */
  readonly digest: string;
  /** Digest of the component, which names it in every cache. */
  readonly componentDigest: string;
  /** The component's bytes; read-only. */
  readonly componentPath: string;
  /** What the image says that it imports; absent where it does not say. */
  readonly listedImports?: readonly string[];
  readonly sizeBytes: number;
}

export interface LocalNativeImage {
  readonly variant: "native";
  readonly digest: string;
  /** Unpacked layers, the base first, as overlayfs lower directories (whiteouts as overlayfs writes them); read-only. */
  readonly layerPaths: readonly string[];
  /** `config` of the OCI image config: Env, Entrypoint, Cmd, WorkingDir, User, ExposedPorts, StopSignal. */
  readonly config: NativeImageConfig;
  readonly sizeBytes: number;
}

interface NativeImageConfig {
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  /** `user`, `uid`, `user:group`, `uid:gid`; empty is root. */
  readonly user: string;
  readonly exposedPorts: readonly string[];
  readonly stopSignal?: string;
}
