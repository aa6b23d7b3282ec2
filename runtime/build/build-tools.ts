import type { ContentStore, StoredLayer } from "@shallop/sdk/image";
import type { BuildEvent, BuilderSettings } from "@shallop/sdk/wire";
import type { ArchiveReader } from "./archive-reader.ts";
import type { BaseImages } from "./base-images.ts";
import type { ImagePackages } from "./image-packages.ts";
import type { ImageTrees } from "./image-trees.ts";
import type { RunSandbox } from "./run-sandbox.ts";
import type { Spool } from "./spool.ts";
import type { StepCache } from "./step-cache.ts";

/** What builds work with; all builds of one call share it. */
export interface BuildTools {
  readonly settings: BuilderSettings;
  readonly store: ContentStore;
  readonly bases: BaseImages;
  readonly trees: ImageTrees;
  readonly packages: ImagePackages;
  readonly cache: StepCache;
  readonly reader: ArchiveReader;
  readonly spool: Spool;
  /** For files that are gone afterwards. */
  readonly scratch: string;
  /** Directories that the layers are unpacked to, the base first. */
  unpack(layers: readonly StoredLayer[], signal: AbortSignal): Promise<readonly string[]>;
  /** @throws DockerfileFault BUILD_UNSUPPORTED */
  sandbox(): Promise<RunSandbox>;
  readonly emit: (event: BuildEvent) => void;
  readonly signal: AbortSignal;
}
