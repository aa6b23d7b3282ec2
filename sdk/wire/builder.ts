import type { Descriptor, ImageFaultCode } from "../image/index.ts";
import { Fault } from "../internal/fault.ts";
import type { Package } from "../trust/index.ts";

// What the command line and the builder process (`runtime/build`) say to each other, over the channel of a child process.

/** An image to be built from a Dockerfile. */
export interface BuildOrder {
  /** Told back in events: several may be built at once. */
  readonly id: string;
  /** Absolute: a directory, or a tar archive, compressed with gzip, zstd or not. */
  readonly context: string;
  /** Absolute, or inside of the archive. */
  readonly dockerfile: string;
  /** `linux/amd64`. */
  readonly platform: string;
  /** A stage by name or number; the last one when absent. */
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** What all orders of one call share. */
export interface BuilderSettings {
  /** The content store with the images of this user. */
  readonly storeDirectory: string;
  /** What the builder keeps between builds: unpacked layers, and what it has built. */
  readonly builderDirectory: string;
  /** Registry of names without a host. */
  readonly defaultRegistry: string;
  /** Of the built-in registry, when this user may read its secret. */
  readonly registryToken?: string;
  readonly dockerConfigDirectory?: string;
  /** SOURCE_DATE_EPOCH in milliseconds: what `created` and the times of files say at the latest. */
  readonly createdMs: number;
  /** False: every step is carried out anew. */
  readonly useCache: boolean;
  /** Base images are asked for again where they are here already. */
  readonly pull: boolean;
  /** What package managers of distributions say is in the images is told. */
  readonly listsPackages?: boolean;
  /** Whether RUN may be done by a runc or crun of which ways out of containers are known. */
  readonly knownEscapes: "refuse" | "allow";
  readonly run: RunLimits;
}

/** Of each RUN. */
export interface RunLimits {
  /** `none`: loopback only. `host`: all that this machine reaches. */
  readonly network: "none" | "host";
  readonly memoryBytes: number;
  /** Cores. */
  readonly cpu: number;
  readonly pidsMax: number;
  readonly timeoutMs: number;
}

export interface BuilderRequest {
  readonly settings: BuilderSettings;
  readonly orders: readonly BuildOrder[];
  /** All that builds have kept is removed first. */
  readonly forgets?: boolean;
}

/** What happens in a build, as it happens. */
export type BuildEvent = { readonly id: string } & (
  | { readonly kind: "step"; readonly number: number; readonly count: number; readonly text: string }
  /** The step was done by an earlier build. */
  | { readonly kind: "cached"; readonly number: number }
  /** A line that a RUN has written. */
  | { readonly kind: "output"; readonly text: string }
  /** Something that people should know, and that fails nothing. */
  | { readonly kind: "note"; readonly text: string }
);

export interface BuiltVariant {
  /** With its platform. */
  readonly manifest: Descriptor;
  readonly stepCount: number;
  readonly cachedCount: number;
  /** What package managers of distributions say is in it, where that was asked for; absent where none says anything. */
  readonly packages?: readonly Package[];
}

export type BuilderMessage =
  /** It may be told its orders. */
  | { readonly kind: "ready" }
  | { readonly kind: "event"; readonly event: BuildEvent }
  /** In the order of the orders. */
  | { readonly kind: "built"; readonly variants: readonly BuiltVariant[] }
  | { readonly kind: "failed"; readonly code: string | undefined; readonly message: string };

export type DockerfileFaultCode =
  /** The Dockerfile cannot be read, or says what cannot be. Message begins with file and line. */
  | "DOCKERFILE_INVALID"
  /** COPY or ADD names what the context has not, or what leads out of it. */
  | "CONTEXT_INVALID"
  /** The base image cannot be built upon: it has no variant for the platform, or too many layers. */
  | "BASE_INVALID"
  /** A program of RUN did not end well. */
  | "RUN_FAILED"
  /** A bound was passed: memory, time or bytes of a RUN, bytes of a download. */
  | "BUILD_LIMIT"
  /** A file of ADD could not be fetched, or is another one than its checksum says. */
  | "DOWNLOAD_FAILED"
  /** This machine, or this builder, cannot do it. Message says what can. */
  | "BUILD_UNSUPPORTED";

/** A build from a Dockerfile that did not succeed. Where something is wrong with images, it has their codes. */
export class DockerfileFault extends Fault<DockerfileFaultCode | ImageFaultCode> {}
