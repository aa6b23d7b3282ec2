import type { Demand } from "./demand.ts";
import type { Taint } from "@shallop/sdk/api";
import { affinityRefusal, antiAffinityRefusal, skewOf } from "./neighbours.ts";
import { matchesTerm, taintText, tolerates } from "./requirements.ts";
import { portsConflict } from "./host-ports.ts";
import type { NodeView, PlacedPod } from "./node-view.ts";

export type RefusalCode =
  | "NOT_READY"
  | "UNSCHEDULABLE"
  | "TAINTED"
  | "NODE_AFFINITY"
  | "POD_AFFINITY"
  | "POD_ANTI_AFFINITY"
  | "SPREAD"
  /** The wanted variant cannot run there. */
  | "NO_NATIVE"
  /** The node has tried to prepare the image, and it can never run there. */
  | "IMAGE_UNUSABLE"
  | "TOO_MANY_PODS"
  /** A port of the node that the pod asks for is another pod's. */
  | "PORT_TAKEN"
  | "NO_CPU"
  | "NO_MEMORY";

/** Why a node does not get a pod: as data, and as a sentence. */
export interface Refusal {
  readonly node: string;
  readonly code: RefusalCode;
  readonly sentence: string;
}

/** What is to be placed. */
export interface Workload {
  /** Key of the revision: `NAMESPACE/NAME`. */
  readonly revision: string;
  readonly demand: Demand;
  readonly wish: "wasm" | "native" | "any";
  /** Nodes that have the image prepared. */
  readonly prepared: ReadonlySet<string>;
  /** Homes that have not said yet whether they can prepare it, of a revision that comes up for the first time. */
  readonly preparing: ReadonlySet<string>;
  /** Nodes where the image can never run, with the reason. */
  readonly unusable: ReadonlyMap<string, string>;
  /** The pod, when it is one of its own; those of revisions ask for nothing that another pod could have. */
  readonly pod?: PlacedPod;
}

type Verdict = Pick<Refusal, "code" | "sentence"> | undefined;
/** `nodes`: all of them, this one too. */
type Filter = (node: NodeView, workload: Workload, nodes: readonly NodeView[]) => Verdict;

const mebibytes = (bytes: number): string => `${String(Math.round(bytes / 2 ** 20))} MiB`;
const millicores = (cpu: number): string => `${String(Math.round(cpu * 1000))}m`;

const refuseNotReady: Filter = ({ ready }) =>
  ready ? undefined : { code: "NOT_READY", sentence: "the node is not ready" };

const unschedulableTaint: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

const refuseUnschedulable: Filter = ({ unschedulable }, { pod }) =>
  unschedulable && !isTolerated(unschedulableTaint, pod)
    ? { code: "UNSCHEDULABLE", sentence: "the node is cordoned (spec.unschedulable)" }
    : undefined;

/** Effects that keep a pod off a node; `PreferNoSchedule` only weighs. */
const keepsAway: ReadonlySet<string> = new Set(["NoSchedule", "NoExecute"]);

const isTolerated = (taint: Taint, pod: PlacedPod | undefined): boolean =>
  pod?.tolerations.some((toleration) => tolerates(toleration, taint)) === true;

const refuseTainted: Filter = ({ taints }, { pod }) => {
  const bad = taints.filter((taint) => keepsAway.has(taint.effect) && !isTolerated(taint, pod));
  if (bad.length === 0) return undefined;
  return { code: "TAINTED", sentence: `the node has untolerated taint ${bad.map(taintText).join(", ")}` };
};

const refuseNodeLabels: Filter = (node, { pod }) => (pod === undefined ? undefined : nodeLabelVerdict(node, pod));

function nodeLabelVerdict(node: NodeView, pod: PlacedPod): Verdict {
  const missing = Object.entries(pod.nodeLabels).filter(([key, value]) => node.labels[key] !== value);
  if (missing.length > 0) {
    const labels = missing.map(([key, value]) => `${key}=${value}`).join(", ");
    return { code: "NODE_AFFINITY", sentence: `the node has no label ${labels}` };
  }
  if (pod.nodeTerms === undefined || pod.nodeTerms.some((term) => matchesTerm(term, node))) return undefined;
  return { code: "NODE_AFFINITY", sentence: "no term of the pod's node affinity matches the node" };
}

const refuseAffinity: Filter = (node, { pod }, nodes) => {
  const why = pod === undefined ? undefined : affinityRefusal(pod, node, nodes);
  return why === undefined ? undefined : { code: "POD_AFFINITY", sentence: why };
};

const refuseAntiAffinity: Filter = (node, { pod }, nodes) => {
  const why = pod === undefined ? undefined : antiAffinityRefusal(pod, node, nodes);
  return why === undefined ? undefined : { code: "POD_ANTI_AFFINITY", sentence: why };
};

const refuseSpread: Filter = (node, { pod }, nodes) => {
  for (const constraint of pod?.spread ?? []) {
    if (pod === undefined || constraint.whenUnsatisfiable === "ScheduleAnyway") continue;
    // As kube-scheduler: nodes that the pod may not be on at all are no place that is left empty.
    const eligible = nodes.filter((other) => nodeLabelVerdict(other, pod) === undefined);
    const skew = skewOf(constraint, pod, { node, nodes: eligible });
    const { topologyKey, maxSkew } = constraint;
    if (skew === undefined)
      return { code: "SPREAD", sentence: `the node has no label ${topologyKey} to spread pods by` };
    if (skew > maxSkew) {
      const sentence = `its ${topologyKey} would have ${String(skew)} pods more than another, of at most ${String(maxSkew)}`;
      return { code: "SPREAD", sentence };
    }
  }
  return undefined;
};

const refuseVariant: Filter = ({ name, features }, { wish, unusable }) => {
  if (wish === "native" && features?.native === false) {
    const why = features.nativeMissing === undefined ? "" : `: ${features.nativeMissing}`;
    return { code: "NO_NATIVE", sentence: `native variants cannot run on the node${why}` };
  }
  const why = unusable.get(name);
  return why === undefined
    ? undefined
    : { code: "IMAGE_UNUSABLE", sentence: `the image cannot run on the node: ${why}` };
};

const refusePods: Filter = ({ allocatable, taken }) =>
  taken.pods < allocatable.pods
    ? undefined
    : {
        code: "TOO_MANY_PODS",
        sentence: `the node has ${String(taken.pods)} pods of at most ${String(allocatable.pods)}`,
      };

const refusePorts: Filter = ({ pods }, { pod }) => {
  for (const wanted of pod?.hostPorts ?? []) {
    if (!pods.some(({ hostPorts }) => hostPorts.some((taken) => portsConflict(wanted, taken)))) continue;
    const port = `${wanted.ip}:${String(wanted.port)}/${wanted.protocol}`;
    return { code: "PORT_TAKEN", sentence: `port ${port} of the node is another pod's` };
  }
  return undefined;
};

// Sums of decimal fractions: ten times 0.1 core must still fit one core.
const roundingCpu = 1e-9;

const refuseCpu: Filter = ({ allocatable, taken }, { demand }) =>
  taken.cpu + demand.cpu <= allocatable.cpu + roundingCpu
    ? undefined
    : {
        code: "NO_CPU",
        sentence:
          `the pod requests ${millicores(demand.cpu)} cpu, and of ${millicores(allocatable.cpu)} ` +
          `${millicores(Math.max(0, allocatable.cpu - taken.cpu))} are free`,
      };

const refuseMemory: Filter = ({ allocatable, taken }, { demand }) =>
  taken.memoryBytes + demand.memoryBytes <= allocatable.memoryBytes
    ? undefined
    : {
        code: "NO_MEMORY",
        sentence:
          `the pod requests ${mebibytes(demand.memoryBytes)} memory, and of ${mebibytes(allocatable.memoryBytes)} ` +
          `${mebibytes(Math.max(0, allocatable.memoryBytes - taken.memoryBytes))} are free`,
      };

/** What makes a node a possible home: nothing that changes from pod to pod. */
const homeFilters: readonly Filter[] = [refuseNotReady, refuseUnschedulable, refuseTainted, refuseVariant];
/** In this order; the first that refuses gives the reason (kube-scheduler: "filters are called in order"). */
const podFilters: readonly Filter[] = [
  ...homeFilters,
  refuseNodeLabels,
  refusePorts,
  refusePods,
  refuseCpu,
  refuseMemory,
  refuseSpread,
  refuseAffinity,
  refuseAntiAffinity,
];

function firstRefusal(
  filters: readonly Filter[],
  node: NodeView,
  workload: Workload,
  nodes: readonly NodeView[] = [node],
): Refusal | undefined {
  for (const filter of filters) {
    const verdict = filter(node, workload, nodes);
    if (verdict !== undefined) return { node: node.name, ...verdict };
  }
  return undefined;
}

/** Why `node`, one of `nodes`, cannot take a pod of `workload` now; undefined: it can. */
export const refusePod = (
  node: NodeView,
  workload: Workload,
  nodes: readonly NodeView[] = [node],
): Refusal | undefined => firstRefusal(podFilters, node, workload, nodes);

/** Why `node` cannot be a home of `workload`; undefined: it can. An empty node must have room for one pod. */
export function refuseHome(node: NodeView, workload: Workload): Refusal | undefined {
  const empty = { ...node, taken: { cpu: 0, memoryBytes: 0, pods: 0 } };
  return (
    firstRefusal(homeFilters, node, workload) ?? firstRefusal([refusePods, refuseCpu, refuseMemory], empty, workload)
  );
}

/** `0/3 nodes are available: 2 not ready, 1 too little memory`, as kube-scheduler says it, then each node's own reason. */
export function refusalSentence(refusals: readonly Refusal[]): string {
  if (refusals.length === 0) return "0/0 nodes are available: no node has joined yet";
  const words: Readonly<Record<RefusalCode, string>> = {
    NOT_READY: "not ready",
    UNSCHEDULABLE: "cordoned",
    // As kube-scheduler writes these.
    TAINTED: "node(s) had untolerated taint",
    NODE_AFFINITY: "node(s) didn't match Pod's node affinity/selector",
    POD_AFFINITY: "node(s) didn't match pod affinity rules",
    POD_ANTI_AFFINITY: "node(s) didn't match pod anti-affinity rules",
    SPREAD: "node(s) didn't match pod topology spread constraints",
    NO_NATIVE: "without what native variants need",
    IMAGE_UNUSABLE: "where the image cannot run",
    PORT_TAKEN: "node(s) didn't have free ports for the requested pod ports",
    TOO_MANY_PODS: "with too many pods",
    NO_CPU: "with too little cpu",
    NO_MEMORY: "with too little memory",
  };
  const countByCode = new Map<RefusalCode, number>();
  for (const { code } of refusals) countByCode.set(code, (countByCode.get(code) ?? 0) + 1);
  const counts = [...countByCode].map(([code, count]) => `${String(count)} ${words[code]}`).join(", ");
  const each = refusals.slice(0, namedMax).map(({ node, sentence }) => `${node}: ${sentence}`);
  const more = refusals.length > namedMax ? [`and ${String(refusals.length - namedMax)} more`] : [];
  return `0/${String(refusals.length)} nodes are available: ${counts} (${[...each, ...more].join("; ")})`;
}

// An event holds 1024 characters; ten nodes with a reason each fit.
const namedMax = 10;
