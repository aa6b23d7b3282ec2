import {
  annotation,
  isJsonObject,
  type Json,
  type Node,
  type NodeFeatures,
  parseQuantity,
  type Pod,
  textAt,
} from "@shallop/sdk/api";
import type { Amounts } from "./demand.ts";
import { type WantedPort, wantedPortsOf } from "./host-ports.ts";

/** What placement needs to know of a node. */
export interface NodeView {
  readonly name: string;
  readonly ready: boolean;
  readonly unschedulable: boolean;
  /** Taints that keep pods away, as `key=value:Effect`. Revisions have no tolerations. */
  readonly taints: readonly string[];
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
}

/** Effects that keep a pod without tolerations off a node; `PreferNoSchedule` does not. */
const keepsAway: ReadonlySet<string> = new Set(["NoSchedule", "NoExecute"]);
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
    taints: (node.spec?.taints ?? [])
      .filter(({ effect }) => keepsAway.has(effect))
      .map(({ key, value, effect }) => `${key}${value === undefined || value === "" ? "" : `=${value}`}:${effect}`),
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
export const placedPod = ({ metadata, spec }: Pick<Pod, "metadata" | "spec">): PlacedPod => ({
  namespace: metadata.namespace ?? "default",
  labels: metadata.labels ?? {},
  hostPorts: wantedPortsOf(spec),
});

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
