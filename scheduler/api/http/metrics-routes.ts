import {
  annotation,
  type ApiObject,
  apiVersionOf,
  type JsonObject,
  kindOf,
  nodeMetrics,
  nodes,
  podMetrics,
  pods,
  type Resource,
  textAt,
} from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import type { NodeUsage, PodUsage } from "@shallop/sdk/wire";
import type { AgentAddress, AgentLink } from "../agent-link.ts";
import { authorize } from "../authorize.ts";
import { notFound } from "../faults.ts";
import type { Machinery, Target } from "../machinery.ts";
import { nodeUsages } from "../node-usage.ts";
import { parseSelection } from "../selectors.ts";
import { listOptions } from "./query.ts";
import type { ResourceRequest } from "./resource-routes.ts";

export interface MetricsParts {
  readonly machinery: Machinery;
  readonly link: AgentLink;
}

/** The agent measures for a second when nobody has asked before. */
const usageTimeoutMs = 10_000;

export const isMetrics = ({ kind }: Target): boolean => kind.resource.group === nodeMetrics.group;

/** GET of metrics.k8s.io: asked of the agents there and then. Nodes that do not answer are left out. @throws ApiFault */
export async function metricsResponse(
  { machinery, link }: MetricsParts,
  target: Target,
  { request, query, user }: ResourceRequest,
): Promise<Response> {
  const { kind, namespace, name } = target;
  const { labelSelector = "", fieldSelector = "" } = listOptions(query);
  const selection = parseSelection(kind, labelSelector, fieldSelector);
  authorize({ user, verb: name === undefined ? "list" : "get", kind, namespace, name });
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(usageTimeoutMs)]);
  const usages = await nodeUsages(link, agentsOf(machinery), signal);
  const isNodes = kind.resource.plural === nodeMetrics.plural;
  const items = usages
    .flatMap(({ node, usage }): MetricsItem[] =>
      isNodes ? [nodeItem(node, usage)] : usage.pods.map((pod) => podItem(pod, usage)),
    )
    .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
    .map((item) => labelled(machinery, isNodes ? nodes : pods, item))
    .filter((item) => selection.matches(item));
  if (name === undefined) {
    const resource = isNodes ? nodeMetrics : podMetrics;
    const list = { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata: {}, items };
    return Response.json(list);
  }
  const item = items.find(({ metadata }) => metadata.name === name);
  if (item === undefined) throw notFound(kind, name);
  return Response.json(item);
}

/** With the labels of what it is about, as metrics-server has it: that is what selectors choose by. */
function labelled({ objects }: Machinery, resource: Resource<ApiObject>, item: MetricsItem): MetricsItem {
  const kind = kindOf(resource);
  assert(kind !== undefined, "what is measured is served");
  const { name, namespace } = item.metadata;
  const labels = objects.get(kind, namespace, name)?.metadata["labels"];
  return labels === undefined ? item : { ...item, metadata: { ...item.metadata, labels } };
}

/** The nodes that say where their agent is. */
function agentsOf({ objects }: Machinery): readonly AgentAddress[] {
  const kind = kindOf(nodes);
  assert(kind !== undefined, "nodes are served");
  const all = objects.store.list(objects.prefix(kind)).entries.map((entry) => objects.parse(entry));
  return all.flatMap((object) => {
    const address = textAt(object, "metadata", "annotations", annotation.agentAddress);
    return address === undefined ? [] : [{ node: object.metadata.name, address }];
  });
}

/** Of either kind; the rest of it is as `nodeItem` and `podItem` have it. */
type MetricsItem = JsonObject & {
  readonly metadata: JsonObject & { readonly name: string; readonly namespace?: string };
};

const measuredAt = ({ at, windowMs }: NodeUsage) => ({
  timestamp: at,
  window: `${(windowMs / 1000).toFixed(3)}s`,
});

const amounts = (usage: { readonly cpuNanoCores: number; readonly memoryBytes: number }) => ({
  cpu: `${String(usage.cpuNanoCores)}n`,
  memory: `${String(Math.ceil(usage.memoryBytes / 1024))}Ki`,
});

const nodeItem = (name: string, usage: NodeUsage) => ({
  kind: nodeMetrics.kind,
  apiVersion: apiVersionOf(nodeMetrics),
  metadata: { name, creationTimestamp: usage.at },
  ...measuredAt(usage),
  usage: amounts(usage),
});

const podItem = (pod: PodUsage, usage: NodeUsage) => ({
  kind: podMetrics.kind,
  apiVersion: apiVersionOf(podMetrics),
  metadata: { name: pod.name, namespace: pod.namespace, creationTimestamp: usage.at },
  ...measuredAt(usage),
  containers: pod.containers.map((container) => ({ name: container.name, usage: amounts(container) })),
});
