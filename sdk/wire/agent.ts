import type { PodEndpoint } from "../api/core.ts";

/**
 * What a node agent answers over HTTP: on its unix socket to processes of the same machine and owner, and on its port
 * over mutual TLS (a certificate of the cluster's authority with organisation `shallop:gateway` or
 * `shallop:control-plane`). Errors are `{"code":…,"message":…}`.
 *
 *   POST /v1/activate                                         ActivateRequest → Activation
 *   POST /v1/pods/{uid}/abandoned                             AbandonedRequests → 204
 *   GET  /v1/pods                                             → AgentPod[]
 *   GET  /v1/pods/{uid}/checks                                → ContainerChecks[]
 *   GET  /v1/pulse                                            → 204: the node answers
 *   GET  /v1/pods/{uid}/tunnel   Upgrade: shallop-tunnel      → 101, then the bytes of a connection to the pod
 *   GET  /containerLogs/{namespace}/{pod}/{container}         kubelet's own; follow, tailLines, timestamps, sinceSeconds,
 *                                                             sinceTime, limitBytes, previous; and format, ours
 *   GET  /exec/{namespace}/{pod}/{container}  Upgrade         kubelet's own, as /attach and /portForward/{namespace}/{pod}:
 *                                                             WebSocket or SPDY/3.1
 *   GET  /v1/usage                                            → NodeUsage
 *   GET  /v1/logs?namespace=&service=&follow=&tailLines=      log lines of every pod of a service this node has had
 */

/**
 * What a log is given as. `text`: what was written. `cri`: lines as container runtimes store them, `TIME stdout|stderr F|P TEXT`.
 * `json`: an object a line, with whose it is and, where that is known, the trace of the request during which it was written.
 */
export const logForms = ["text", "cri", "json"] as const;
export type LogForm = (typeof logForms)[number];

export interface ActivateRequest {
  readonly namespace: string;
  readonly revision: string;
  /** Names of pods of this node that have enough to do: one beside them is wanted, if it is a Wasm pod. 200 at most. */
  readonly beside?: readonly string[];
}

/** Requests whose clients have gone, while the pod has said nothing since. */
export interface AbandonedRequests {
  readonly requestIds: readonly string[];
}

/** What the readiness probe of a container has found lately. */
export interface ContainerChecks {
  readonly container: string;
  /** Failures since the last success. */
  readonly failingStreak: number;
  /** The last five, the oldest first. */
  readonly results: readonly CheckResult[];
}

export interface CheckResult {
  readonly startWallMs: number;
  readonly endWallMs: number;
  /** Of a command its own; else 0 is a success. -1: it was not over in time, or could not be carried out. */
  readonly exitCode: number;
  /** Of a command what it said, 4096 characters at most; else why it failed. */
  readonly output: string;
}

export interface Activation {
  readonly podName: string;
  readonly podUid: string;
  readonly endpoint: PodEndpoint;
  /** False when the pod was there already. */
  readonly started: boolean;
  /** Phases of the start, milliseconds. `prepare` is 0 when the image was prepared already. */
  readonly phasesMs: { readonly prepare: number; readonly start: number };
}

/**
 * Beside the socket on which a node takes activations from gateways of its machine: a directory with an Activation for each revision
 * that has no pod there, and one that comes up by itself when somebody connects to its endpoint. Nobody needs to ask for that one.
 * Where there is no such file, or nobody takes the connection, the node is asked.
 */
export const standbyDirectoryName = "standby";

/** Its file there. */
export const standbyFileName = ({ namespace, revision }: Pick<ActivateRequest, "namespace" | "revision">): string =>
  `${namespace}_${revision}.json`;

export type ActivateFaultCode =
  /** The agent has not seen this revision, or has not prepared it yet: ask another home, or wait for a pod. */
  | "NOT_PREPARED"
  /** The node is out of room (pods, memory). */
  | "NO_CAPACITY"
  /** The image cannot run here: no usable variant, not a component, unknown imports. Message says which. */
  | "NO_USABLE_VARIANT"
  /** The pod started and died, or was not ready in time. */
  | "START_FAILED";

export interface AgentPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly revision?: string;
  readonly variant: "wasm" | "native";
  readonly phase: "starting" | "ready" | "draining" | "ended";
  readonly endpoint?: PodEndpoint;
}
