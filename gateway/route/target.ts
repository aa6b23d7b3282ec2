import {
  annotation,
  balanceRulesOf,
  type BalanceRules,
  type HoldRules,
  holdRulesOf,
  label,
  type Node,
  parseQuantity,
  type Pod,
  type PodEndpoint,
  type Revision,
  type WebSocketRules,
  webSocketRulesOf,
} from "@shallop/sdk/api";
import { type GrowthRules, growthRulesOf } from "./growth.ts";

/** What the gateway needs to know of a revision, all defaults filled in. */
export interface RevisionTarget {
  /** `NAMESPACE/NAME`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** `NAMESPACE/NAME` of its service, for what the revisions of one have in common; its own key when it has none. */
  readonly service: string;
  /** How WebSockets are let in. */
  readonly webSocket: WebSocketRules;
  /** Requests that a pod may have at once; 0 = unlimited. */
  readonly concurrencyMax: number;
  readonly timeoutMs: number;
  readonly responseStartTimeoutMs: number;
  /** Longest silence of the guest within an answer; 0 = any. */
  readonly idleTimeoutMs: number;
  /** Its native pods speak HTTP/2 with prior knowledge: their port has the name `h2c`, as in Knative. */
  readonly isHttp2: boolean;
  /** Nodes to ask for an activation, the best first. */
  readonly homes: readonly string[];
  /** How requests wait for a pod. */
  readonly hold: HoldRules;
  /** How a pod is picked for them. */
  readonly balance: BalanceRules;
  /** How its Wasm pods grow in number before the control plane is asked; absent: they do not. */
  readonly growth?: GrowthRules;
}

export interface PodTarget {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Key of its revision. */
  readonly revision: string;
  readonly node: string;
  readonly endpoint: PodEndpoint;
}

/** A pod as the API shows it. `ready` and `ending` may be both true while it drains. */
export interface WatchedPod {
  readonly uid: string;
  readonly namespace: string;
  /** Undefined for one that belongs to no revision. */
  readonly revision: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined until its node has said how to reach it. */
  readonly target: PodTarget | undefined;
  readonly ready: boolean;
  /** It is being deleted, or has ended. */
  readonly ending: boolean;
}

export interface NodeTarget {
  readonly name: string;
  readonly machine: string | undefined;
  /** `topology.kubernetes.io/zone`. */
  readonly zone: string | undefined;
  /** `host:port` of its agent. */
  readonly agentAddress: string | undefined;
  readonly agentSocket: string | undefined;
  /** Where it is asked for activations on its own machine. */
  readonly activationSocket: string | undefined;
  /** Undefined where the node has not said. */
  readonly processors: number | undefined;
}

export const revisionKey = (namespace: string, name: string): string => `${namespace}/${name}`;

// Knative's config-defaults: revision-timeout-seconds, revision-response-start-timeout-seconds.
const defaultTimeoutSeconds = 300;

export function compileRevision(revision: Revision): RevisionTarget {
  const { metadata, spec, status } = revision;
  const namespace = metadata.namespace ?? "";
  const timeoutSeconds = spec.timeoutSeconds ?? defaultTimeoutSeconds;
  const growth = growthRulesOf(revision);
  return {
    key: revisionKey(namespace, metadata.name),
    namespace,
    name: metadata.name,
    service: revisionKey(namespace, metadata.labels?.[label.service] ?? metadata.name),
    webSocket: webSocketRulesOf(metadata.annotations),
    concurrencyMax: spec.containerConcurrency ?? 0,
    timeoutMs: timeoutSeconds * 1000,
    responseStartTimeoutMs: Math.min(spec.responseStartTimeoutSeconds ?? timeoutSeconds, timeoutSeconds) * 1000,
    idleTimeoutMs: (spec.idleTimeoutSeconds ?? 0) * 1000,
    isHttp2: spec.containers.some(({ ports = [] }) => ports.some(({ name }) => name === "h2c")),
    homes: homesOf(status),
    hold: holdRulesOf(metadata.annotations),
    balance: balanceRulesOf(metadata.annotations),
    ...(growth === undefined ? {} : { growth }),
  };
}

/**
 * Homes that are prepared come first, then those that have said nothing, then those that could not prepare the image;
 * each group in the order of preference.
 */
function homesOf(status: Revision["status"]): readonly string[] {
  const prepared = new Set((status?.preparedNodes ?? []).map(({ node }) => node));
  const failed = new Set((status?.failedNodes ?? []).map(({ node }) => node));
  const homes = status?.homeNodes ?? [];
  return [
    ...homes.filter((node) => prepared.has(node)),
    ...homes.filter((node) => !prepared.has(node) && !failed.has(node)),
    ...homes.filter((node) => !prepared.has(node) && failed.has(node)),
  ];
}

/** A revision that a route names and the gateway has not seen yet: requests wait for it. */
export const unknownRevision = (namespace: string, name: string): RevisionTarget => ({
  key: revisionKey(namespace, name),
  namespace,
  name,
  service: revisionKey(namespace, name),
  webSocket: {},
  concurrencyMax: 0,
  timeoutMs: defaultTimeoutSeconds * 1000,
  responseStartTimeoutMs: defaultTimeoutSeconds * 1000,
  idleTimeoutMs: 0,
  isHttp2: false,
  homes: [],
  hold: holdRulesOf(),
  balance: {},
});

export function compilePod(pod: Pod): WatchedPod {
  const { metadata, spec, status } = pod;
  const revision = metadata.labels?.[label.revision];
  const { uid, name, namespace = "", labels = {} } = metadata;
  const key = revision === undefined ? undefined : revisionKey(namespace, revision);
  const endpoint = parseEndpoint(metadata.annotations?.[annotation.endpoint]);
  const node = spec.nodeName;
  const ready = status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  return {
    uid,
    namespace,
    revision: key,
    labels,
    target:
      endpoint === undefined || node === undefined
        ? undefined
        : { uid, namespace, name, revision: key ?? "", node, endpoint },
    ready,
    ending: metadata.deletionTimestamp !== undefined || status?.phase === "Succeeded" || status?.phase === "Failed",
  };
}

export function compileNode(node: Node): NodeTarget {
  const annotations = node.metadata.annotations ?? {};
  return {
    name: node.metadata.name,
    machine: annotations[annotation.machine],
    zone: node.metadata.labels?.[label.zone],
    agentAddress: annotations[annotation.agentAddress],
    agentSocket: annotations[annotation.agentSocket],
    activationSocket: annotations[annotation.activationSocket],
    processors: parseQuantity(node.status?.capacity?.["cpu"] ?? ""),
  };
}

// `sun_path` of Linux, without the closing zero.
const socketPathBytesMax = 107;

/** The endpoint that a node wrote; undefined when it is none. */
export function parseEndpoint(json: string | undefined): PodEndpoint | undefined {
  if (json === undefined) return undefined;
  try {
    return checkEndpoint(JSON.parse(json));
  } catch {
    return undefined;
  }
}

export function checkEndpoint(value: unknown): PodEndpoint | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { protocol, socket, host, port, gate } = value as Readonly<Record<string, unknown>>;
  if (protocol === "wire") return isSocketPath(socket) ? { protocol, socket } : undefined;
  if (protocol !== "http1" || typeof host !== "string" || !/^[0-9a-fA-F.:]+$/.test(host)) return undefined;
  if (typeof port !== "number" || !Number.isInteger(port) || port <= 0 || port >= 65_536) return undefined;
  if (gate === undefined) return { protocol, host, port };
  return isSocketPath(gate) ? { protocol, host, port, gate } : undefined;
}

const isSocketPath = (value: unknown): value is string =>
  typeof value === "string" && value.startsWith("/") && value.length <= socketPathBytesMax;
