import { annotation, ApiFault, kindOf, nodes, textAt } from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import { type Metrics, prometheusText, prometheusType } from "@shallop/sdk/internal/telemetry";
import type { AgentAddress, AgentLink } from "../agent-link.ts";
import { notFound } from "../faults.ts";
import type { Machinery } from "../machinery.ts";
import { nodeSummary } from "../node-summary.ts";
import { nodeUsage } from "../node-usage.ts";
import { existing } from "../read.ts";
import { resourceMetrics } from "../resource-metrics.ts";
import { mastersGroup, type User } from "../user.ts";
import { streamResponse } from "./stream-response.ts";

/** GET /metrics: what the control plane measures. @throws ApiFault Forbidden */
export async function metricsText(metrics: Metrics, user: User): Promise<Response> {
  checkPath(user, "/metrics");
  return new Response(prometheusText(await metrics.collect()), { headers: { "content-type": prometheusType } });
}

/**
 * GET /api/v1/nodes/NAME/proxy/metrics: what a node's agent measures, asked as a kubelet is.
 * @throws ApiFault Forbidden, NotFound, and what the agent says
 */
export async function nodeMetricsText({ machinery, link }: NodeParts, node: string, user: User): Promise<Response> {
  const agent = agentOf(machinery, node, { user, path: "metrics" });
  const gone = new AbortController();
  return streamResponse(await link.get(agent, "/metrics", gone.signal), gone);
}

/**
 * GET /api/v1/nodes/NAME/proxy/stats/summary: what it and its pods use, as a kubelet tells it.
 * @throws ApiFault Forbidden, NotFound, and what the agent says
 */
export async function nodeSummaryResponse(parts: NodeParts, node: string, request: NodeRequest): Promise<Response> {
  const agent = agentOf(parts.machinery, node, { user: request.user, path: "stats/summary" });
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(usageTimeoutMs)]);
  return Response.json(nodeSummary(node, await nodeUsage(parts.link, agent, signal)));
}

/** GET /api/v1/nodes/NAME/proxy/metrics/resource: the same in Prometheus' text. @throws ApiFault as nodeSummaryResponse */
export async function nodeResourceText(parts: NodeParts, node: string, request: NodeRequest): Promise<Response> {
  const agent = agentOf(parts.machinery, node, { user: request.user, path: "metrics/resource" });
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(usageTimeoutMs)]);
  const usage = await nodeUsage(parts.link, agent, signal);
  return new Response(resourceMetrics(usage), { headers: { "content-type": prometheusType } });
}

/** GET /api/v1/nodes/NAME/proxy/healthz: whether a node's agent answers. @throws ApiFault as nodeMetricsText */
export async function nodeHealthText(parts: NodeParts, node: string, request: NodeRequest): Promise<Response> {
  const agent = agentOf(parts.machinery, node, { user: request.user, path: "healthz" });
  const gone = new AbortController();
  return streamResponse(await parts.link.get(agent, "/healthz", gone.signal), gone);
}

interface NodeParts {
  readonly machinery: Machinery;
  readonly link: AgentLink;
}

interface NodeRequest {
  readonly user: User;
  readonly signal: AbortSignal;
}

/** The agent measures for a second when nobody has asked before. */
const usageTimeoutMs = 10_000;

/** Where a node's agent is, for who may ask it for a path of its own. @throws ApiFault Forbidden, NotFound */
function agentOf(
  machinery: Machinery,
  node: string,
  { user, path }: { readonly user: User; readonly path: string },
): AgentAddress {
  checkPath(user, `/api/v1/nodes/${node}/proxy/${path}`);
  const kind = kindOf(nodes);
  assert(kind !== undefined, "nodes are served");
  const object = existing(machinery, { kind, namespace: undefined, name: node });
  const address = textAt(object, "metadata", "annotations", annotation.agentAddress);
  if (address === undefined) throw notFound(kind, node);
  return { node, address };
}

/** Paths that are no resource's are for those who may do everything. @throws ApiFault Forbidden, with apiserver's sentence */
function checkPath(user: User, path: string): void {
  if (user.groups.includes(mastersGroup)) return;
  throw new ApiFault("Forbidden", `forbidden: User "${user.name}" cannot get path "${path}"`);
}
