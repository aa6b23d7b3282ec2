import { annotation, ApiFault, kindOf, nodes, textAt } from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import { type Metrics, prometheusText, prometheusType } from "@shallop/sdk/internal/telemetry";
import type { AgentLink } from "../agent-link.ts";
import { notFound } from "../faults.ts";
import type { Machinery } from "../machinery.ts";
import { existing } from "../read.ts";
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
export async function nodeMetricsText(
  { machinery, link }: { readonly machinery: Machinery; readonly link: AgentLink },
  node: string,
  user: User,
): Promise<Response> {
  checkPath(user, `/api/v1/nodes/${node}/proxy/metrics`);
  const kind = kindOf(nodes);
  assert(kind !== undefined, "nodes are served");
  const object = existing(machinery, { kind, namespace: undefined, name: node });
  const address = textAt(object, "metadata", "annotations", annotation.agentAddress);
  if (address === undefined) throw notFound(kind, node);
  const gone = new AbortController();
  return streamResponse(await link.get({ node, address }, "/metrics", gone.signal), gone);
}

/** Paths that are no resource's are for those who may do everything. @throws ApiFault Forbidden, with apiserver's sentence */
function checkPath(user: User, path: string): void {
  if (user.groups.includes(mastersGroup)) return;
  throw new ApiFault("Forbidden", `forbidden: User "${user.name}" cannot get path "${path}"`);
}
