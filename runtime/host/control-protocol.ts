import type { GrantedDirectory } from "../component/wasi/guest-context.ts";
import type { HostUse } from "./host-use.ts";
import type { PodUse } from "./pod-use.ts";
import type { PodExit, PodLimits, PodLogLine } from "../pod/pod-runtime.ts";

/**
 * Between a node agent and a host process: JSON lines over a unix socket in the run directory, on which the host
 * process listens. It outlives an agent; the next one connects and asks for the pods.
 */
export interface HostPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly socketPath: string;
  readonly componentDigest: string;
  /** Directory of the prepared component. */
  readonly preparedDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly limits: PodLimits;
  readonly egressAllowed: readonly string[];
  /** The namespace from which it looks for names of the cluster; empty: by whole names only; absent: not at all. */
  readonly servicesFrom?: string;
  /** Where the egress proxy listens for this pod. */
  readonly egressSocket: string;
  /** Where its volumes are. */
  readonly directories: readonly GrantedDirectory[];
}

/** Agent → host process. Each is answered with a reply of the same id. */
export type HostCommand =
  /** The first pod makes a blank process the one of its namespace. */
  | { readonly type: "start"; readonly id: number; readonly pod: HostPod }
  | { readonly type: "stop"; readonly id: number; readonly uid: string; readonly graceMs: number }
  /** Clients of these requests have gone. A guest that is at work for one of them, and does not notice, is ended. */
  | { readonly type: "abandoned"; readonly id: number; readonly uid: string; readonly requestIds: readonly string[] }
  /** Have this pod come up by itself when somebody connects to its socket, where a thread is at rest with its component. */
  | { readonly type: "stand-by"; readonly id: number; readonly pod: HostPod }
  /** Do not any more. Answered when that is so; `woken` has been said before if it has come up. */
  | { readonly type: "withdraw"; readonly id: number; readonly uid: string }
  | { readonly type: "list"; readonly id: number }
  /** What the pods have used. */
  | { readonly type: "usage"; readonly id: number }
  /** End at once when no pod runs. */
  | { readonly type: "exit"; readonly id: number };

/** Host process → agent. */
export type HostMessage =
  | {
      readonly type: "reply";
      readonly id: number;
      readonly value?: HostStatus;
      readonly usage?: readonly PodUse[];
      readonly process?: HostUse;
    }
  | { readonly type: "refused"; readonly id: number; readonly code: HostRefusal; readonly message: string }
  /** A pod that was to stand by has come up. */
  | { readonly type: "woken"; readonly uid: string }
  | { readonly type: "exited"; readonly uid: string; readonly exit: PodExit }
  | { readonly type: "logged"; readonly uid: string; readonly lines: readonly PodLogLine[] }
  | {
      readonly type: "noticed";
      readonly uid: string;
      readonly severity: "Normal" | "Warning";
      readonly reason: string;
      readonly message: string;
    }
  /** A thread could not be stopped; the process is about to kill itself. Its pods are to be started again elsewhere. */
  | { readonly type: "wedged"; readonly uid: string; readonly message: string };

export type HostRefusal = "EXITED" | "IMAGE_INVALID" | "NO_CAPACITY";

export interface HostStatus {
  /** The tenant; undefined while the process is blank. */
  readonly namespace?: string;
  readonly pods: readonly HostPod[];
}

/** A line is at most this long: a batch of log lines, or a pod with its environment. */
export const controlLineCharsMax = 4 * 1024 * 1024;

/**
 * A host process whose agent is gone ends itself after this, and with it the requests that it is at work for: a restarting agent is back
 * within seconds, on a machine that others keep busy within a minute.
 */
export const orphanTimeoutMs = 120_000;
