import {
  annotation,
  isJsonObject,
  type Json,
  type Node,
  type NodeFeatures,
  type NodeSelectorTerm,
  parseQuantity,
  type Pod,
  type PodAffinityTerm,
  type Taint,
  textAt,
  type Toleration,
  type TopologySpreadConstraint,
} from "@shallop/sdk/api";
import type { Amounts } from "./demand.ts";
import { type WantedPort, wantedPortsOf } from "./host-ports.ts";

/** What placement needs to know of a node. */
export interface NodeView {
  readonly name: string;
  readonly ready: boolean;
  readonly unschedulable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Revisions have no tolerations. */
  readonly taints: readonly Taint[];
  /** Undefined: the node has not said. */
  readonly features: Pick<NodeFeatures, "native" | "nativeMissing"> | undefined;
  readonly allocatable: Amounts;
  readonly taken: Amounts;
  /** Pods that are there, and have not ended. */
  readonly pods: readonly PlacedPod[];
}

/** What placement needs to know of a pod that has a place. */
export interface PlacedPod {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly hostPorts: readonly WantedPort[];
  readonly tolerations: readonly Toleration[];
  /** Required: one of the terms, if there are any, and all of the labels. */
  readonly nodeTerms: readonly NodeSelectorTerm[] | undefined;
  readonly nodeLabels: Readonly<Record<string, string>>;
  /** Required: all of them. */
  readonly affinity: readonly PodAffinityTerm[];
  readonly antiAffinity: readonly PodAffinityTerm[];
  readonly spread: readonly TopologySpreadConstraint[];
  /** Wished for, by weight; a negative one wishes for its absence. */
  readonly preferredNodes: readonly { readonly weight: number; readonly preference: NodeSelectorTerm }[];
  readonly preferredPods: readonly { readonly weight: number; readonly term: PodAffinityTerm }[];
}

/** Kubernetes' own default for a node that does not say (kubelet --max-pods). */
const podsDefault = 110;

/** Reads a Node object; `taken` is the sum over the pods that are on it. */
export function nodeView(node: Node, taken: Amounts, pods: readonly PlacedPod[] = []): NodeView {
  const { allocatable = {}, conditions = [] } = node.status ?? {};
  const quantity = (name: string): number | undefined => {
    const value = allocatable[name];
    return value === undefined ? undefined : parseQuantity(value);
  };
  return {
    name: node.metadata.name,
    ready: conditions.some(({ type, status }) => type === "Ready" && status === "True"),
    unschedulable: node.spec?.unschedulable === true || node.metadata.deletionTimestamp !== undefined,
    labels: node.metadata.labels ?? {},
    taints: node.spec?.taints ?? [],
    features: parseFeatures(node.metadata.annotations?.[annotation.features]),
    allocatable: {
      cpu: quantity("cpu") ?? 0,
      memoryBytes: quantity("memory") ?? 0,
      pods: quantity("pods") ?? podsDefault,
    },
    taken,
    pods,
  };
}

/** Reads a Pod object. */
export function placedPod({ metadata, spec }: Pick<Pod, "metadata" | "spec">): PlacedPod {
  const { nodeAffinity, podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const preferred = (of: typeof podAffinity, sign: 1 | -1): PlacedPod["preferredPods"] =>
    (of?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ weight, podAffinityTerm }) => ({
      weight: sign * weight,
      term: podAffinityTerm,
    }));
  return {
    namespace: metadata.namespace ?? "default",
    labels: metadata.labels ?? {},
    hostPorts: wantedPortsOf(spec),
    tolerations: spec.tolerations ?? [],
    nodeTerms: nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
    nodeLabels: spec.nodeSelector ?? {},
    affinity: podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
    antiAffinity: podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
    spread: spec.topologySpreadConstraints ?? [],
    preferredNodes: nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [],
    preferredPods: [...preferred(podAffinity, 1), ...preferred(podAntiAffinity, -1)],
  };
}

function parseFeatures(text: string | undefined): NodeView["features"] {
  if (text === undefined) return undefined;
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  if (!isJsonObject(json) || typeof json["native"] !== "boolean") return undefined;
  const missing = textAt(json, "nativeMissing");
  return { native: json["native"], ...(missing === undefined ? {} : { nativeMissing: missing }) };
}
