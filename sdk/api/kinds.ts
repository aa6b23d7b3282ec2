import type { KindDefinition } from "./kind.ts";
import { configMapKind } from "./kinds/config-map.ts";
import { configurationKind } from "./kinds/configuration.ts";
import { coreServiceKind } from "./kinds/core-service.ts";
import { domainMappingKind } from "./kinds/domain-mapping.ts";
import { endpointSliceKind } from "./kinds/endpoint-slice.ts";
import { eventKind } from "./kinds/event.ts";
import { gatewayClassKind, gatewayKind } from "./kinds/gateway.ts";
import { httpRouteKind, referenceGrantKind } from "./kinds/http-route.ts";
import { imagePolicyKind } from "./kinds/image-policy.ts";
import { ingressClassKind, ingressKind } from "./kinds/ingress.ts";
import { knativeServiceKind } from "./kinds/knative-service.ts";
import { nodeMetricsKind, podMetricsKind } from "./kinds/metrics.ts";
import { namespaceKind } from "./kinds/namespace.ts";
import { nodeKind } from "./kinds/node.ts";
import { podDisruptionBudgetKind } from "./kinds/pod-disruption-budget.ts";
import { podKind } from "./kinds/pod.ts";
import { revisionKind } from "./kinds/revision.ts";
import { routeKind } from "./kinds/route.ts";
import { secretKind } from "./kinds/secret.ts";
import { trafficPolicyKind } from "./kinds/traffic-policy.ts";
import type { ApiObject } from "./meta.ts";
import type { Resource } from "./resources.ts";

/** Every kind that the API serves. */
export const kinds: readonly KindDefinition[] = [
  namespaceKind,
  nodeKind,
  podKind,
  eventKind,
  configMapKind,
  secretKind,
  endpointSliceKind,
  ingressKind,
  ingressClassKind,
  podDisruptionBudgetKind,
  knativeServiceKind,
  configurationKind,
  revisionKind,
  routeKind,
  // After the one of Knative, which has the same name.
  coreServiceKind,
  domainMappingKind,
  gatewayClassKind,
  gatewayKind,
  httpRouteKind,
  referenceGrantKind,
  trafficPolicyKind,
  imagePolicyKind,
  nodeMetricsKind,
  podMetricsKind,
];

const kindsByPath = new Map(
  kinds.map((kind) => [pathOf(kind.resource.group, kind.resource.version, kind.resource.plural), kind]),
);

function pathOf(group: string, version: string, plural: string): string {
  return `${group}/${version}/${plural}`;
}

/** The kind at `/apis/{group}/{version}/{plural}`; undefined when none is served there. */
export const kindAt = (group: string, version: string, plural: string): KindDefinition | undefined =>
  kindsByPath.get(pathOf(group, version, plural));

export const kindOf = (resource: Resource<ApiObject>): KindDefinition | undefined =>
  kindAt(resource.group, resource.version, resource.plural);
