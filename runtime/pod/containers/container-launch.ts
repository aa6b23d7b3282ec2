import type { TerminalSize } from "../container-process.ts";
import type { LocalImage } from "../../image/local-image.ts";
import type { PodLimits, PodMembership } from "../pod-runtime.ts";
import type { PodSecurity } from "../pod-security.ts";
import type { RestartPolicy } from "../pod-state.ts";

/** `init`: ends before the next begins. `sidecar`: begins among them and runs beside the others. `main`: the others. */
export type ContainerKind = "init" | "sidecar" | "main";

/** Stands for the pod's address in values of variables and in files until there is one; no text of a user's has a NUL byte. */
export const podIpToken = "\0podIP\0";

/** All that is needed to start one container of a pod; nothing is left to choose. */
export interface ContainerLaunch {
  readonly name: string;
  readonly kind: ContainerKind;
  readonly image: LocalImage;
  /** For the status: `registry/repository@sha256:…`. */
  readonly imageId: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  /** Replace the image's entrypoint and command. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly limits: PodLimits;
  readonly security: PodSecurity;
  readonly mounts: readonly VolumeMount[];
  /** What it writes to its root is kept under this name, and was, by the one before it; undefined: it goes with the container. */
  readonly keptRoot?: string;
  readonly streams: ContainerStreams;
  /** It is ready once something listens here; for containers that say nothing of their readiness. */
  readonly listensOn?: number;
  readonly startup?: Probe;
  readonly liveness?: Probe;
  readonly readiness?: Probe;
  /** Runs when it has started; a failure ends it. */
  readonly postStart?: Action;
  /** Runs before it is asked to end, within the grace. */
  readonly preStop?: Action;
}

/** What its program has for its standard streams. */
export interface ContainerStreams {
  /** An input, kept open for those who attach; else there is nothing to read. */
  readonly stdin: boolean;
  /** The input ends with that of the first who attaches. Not with a terminal, which a program does not leave so. */
  readonly stdinOnce: boolean;
  /** A terminal, with one output. */
  readonly tty: boolean;
  /** How large it is at first, in characters; undefined: nobody has said. */
  readonly size?: TerminalSize;
  /** What it says waits for the first who attaches, for some seconds, and is his to the last byte. */
  readonly holdsOutput?: boolean;
}

export interface VolumeMount {
  readonly volume: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
  /** Below the volume's root; without `..`. */
  readonly subPath?: string;
}

/** What a probe or a hook does. */
export type Action =
  | { readonly kind: "exec"; readonly command: readonly string[] }
  | {
      readonly kind: "http";
      readonly port: number;
      readonly path: string;
      readonly scheme: "http" | "https";
      readonly headers: readonly { readonly name: string; readonly value: string }[];
      /** Undefined: the pod's address. */
      readonly host?: string;
    }
  | { readonly kind: "tcp"; readonly port: number; readonly host?: string }
  | { readonly kind: "grpc"; readonly port: number; readonly service: string }
  | { readonly kind: "sleep"; readonly durationMs: number };

/** core/v1 Probe. */
export interface Probe {
  readonly action: Action;
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

export interface Volume {
  readonly name: string;
  readonly source: VolumeSource;
}

export type VolumeSource =
  | { readonly kind: "emptyDir"; readonly inMemory: boolean; readonly bytesMax?: number }
  /** Files that the agent has made out of other objects. */
  | { readonly kind: "files"; readonly files: readonly VolumeFile[] }
  /** A path of this machine, where policy allows it. */
  | { readonly kind: "hostPath"; readonly path: string; readonly type: string };

export interface VolumeFile {
  /** Below the volume's root; without `..`. */
  readonly path: string;
  readonly base64: string;
  readonly mode: number;
}

/** The containers of a pod that has more to it than a program that listens. */
export interface PodPlan {
  readonly containers: readonly ContainerLaunch[];
  readonly volumes: readonly Volume[];
  /** That it shares with others of its node. */
  readonly networks?: readonly PodMembership[];
  /** It has no network but the loopback. */
  readonly isAlone?: boolean;
  readonly restart: RestartPolicy;
  /** The first wait before a container is started again, where the pod asks for one; see crash-backoff.ts. */
  readonly restartAfterMs?: number;
  readonly graceMs: number;
  /** Ends the pod this long after its start. */
  readonly activeDeadlineMs?: number;
}
