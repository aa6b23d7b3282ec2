import { type PodAffinityTerm, selects, type TopologySpreadConstraint } from "@shallop/sdk/api";
import type { NodeView, PlacedPod } from "./node-view.ts";

// Which pods a pod wants beside it, and which not: where "beside" is the same value of a label of nodes, its topology key.

/** Is `other` one that the term of a pod in `namespace` speaks of? */
export const isMeant = (term: PodAffinityTerm, namespace: string, other: PlacedPod): boolean => {
  const everywhere = term.namespaceSelector !== undefined && isEmpty(term.namespaceSelector);
  const namespaces = (term.namespaces ?? []).length > 0 ? (term.namespaces ?? []) : [namespace];
  return (everywhere || namespaces.includes(other.namespace)) && selects(term.labelSelector, other.labels);
};

// Labels of namespaces are not known here: a selector that asks for some means none.
const isEmpty = ({
  matchLabels = {},
  matchExpressions = [],
}: NonNullable<PodAffinityTerm["namespaceSelector"]>): boolean =>
  Object.keys(matchLabels).length + matchExpressions.length === 0;

/** Pods of all nodes that are beside `node` by this key; undefined: it has no such label, and nothing is beside it. */
export function podsBeside(node: NodeView, key: string, nodes: readonly NodeView[]): readonly PlacedPod[] | undefined {
  const domain = node.labels[key];
  if (domain === undefined) return undefined;
  return nodes.flatMap((other) => (other.labels[key] === domain ? other.pods : []));
}

/** Why the node cannot be, by what the pod wants beside it; undefined: it can. */
export function affinityRefusal(pod: PlacedPod, node: NodeView, nodes: readonly NodeView[]): string | undefined {
  for (const term of pod.affinity) {
    const beside = podsBeside(node, term.topologyKey, nodes);
    if (beside?.some((other) => isMeant(term, pod.namespace, other)) === true) continue;
    // The first of a group that wants to be together has nobody to join (kube-scheduler, InterPodAffinity).
    const isFirst =
      isMeant(term, pod.namespace, pod) &&
      !nodes.some(({ pods }) => pods.some((other) => isMeant(term, pod.namespace, other)));
    if (beside !== undefined && isFirst) continue;
    return `no pod that it wants beside it is in the node's ${term.topologyKey}`;
  }
  return undefined;
}

/** Likewise, by what it does not want beside it, and by those that do not want it. */
export function antiAffinityRefusal(pod: PlacedPod, node: NodeView, nodes: readonly NodeView[]): string | undefined {
  for (const term of pod.antiAffinity) {
    const beside = podsBeside(node, term.topologyKey, nodes) ?? [];
    if (beside.some((other) => isMeant(term, pod.namespace, other))) {
      return `a pod that it does not want beside it is in the node's ${term.topologyKey}`;
    }
  }
  for (const other of nodes) {
    for (const there of other.pods) {
      const minds = there.antiAffinity.some(
        (term) =>
          node.labels[term.topologyKey] !== undefined &&
          node.labels[term.topologyKey] === other.labels[term.topologyKey] &&
          isMeant(term, there.namespace, pod),
      );
      if (minds) return "a pod that does not want it beside it is there";
    }
  }
  return undefined;
}

/** How many more than in the emptiest domain there would be of the selected pods if this one came to the node too. */
export function skewOf(
  { topologyKey, labelSelector }: TopologySpreadConstraint,
  pod: PlacedPod,
  { node, nodes }: { readonly node: NodeView; readonly nodes: readonly NodeView[] },
): number | undefined {
  const domain = node.labels[topologyKey];
  if (domain === undefined) return undefined;
  const countByDomain = new Map<string, number>();
  for (const { labels, pods } of nodes) {
    const name = labels[topologyKey];
    if (name === undefined) continue;
    const selected = pods.filter((other) => other.namespace === pod.namespace && selects(labelSelector, other.labels));
    countByDomain.set(name, (countByDomain.get(name) ?? 0) + selected.length);
  }
  const own = selects(labelSelector, pod.labels) ? 1 : 0;
  return (countByDomain.get(domain) ?? 0) + own - Math.min(...countByDomain.values());
}
