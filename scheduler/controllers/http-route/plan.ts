import {
  attach,
  type BackendReference,
  gatewayController,
  gatewayGroup,
  type HttpRoute,
  isGranted,
  type ParentReference,
  type RouteParentStatus,
  servingGroup,
} from "@shallop/sdk/api";
import { fails, holds, type StrictFinding, strictConditions } from "../shared/strict-conditions.ts";
import type { RoutingWorld } from "../routing/routing-world.ts";

/** What a HTTPRoute says of each parent that is a Gateway of ours; what other controllers have said stays. */
export function planHttpRoute(route: HttpRoute, world: RoutingWorld): HttpRoute["status"] {
  const others = (route.status?.parents ?? []).filter(({ controllerName }) => controllerName !== gatewayController);
  const own = (route.spec.parentRefs ?? []).flatMap((parent) => planParent(route, parent, world));
  return { parents: [...others, ...own] };
}

function planParent(route: HttpRoute, parent: ParentReference, world: RoutingWorld): readonly RouteParentStatus[] {
  const { group = gatewayGroup, kind = "Gateway" } = parent;
  if (group !== gatewayGroup || kind !== "Gateway") return [];
  const namespace = parent.namespace ?? route.metadata.namespace ?? "";
  const gateway = world.gateway(namespace, parent.name);
  const found = gateway === undefined ? undefined : world.gatewayClass(gateway.spec.gatewayClassName);
  if (gateway !== undefined && found?.spec.controllerName !== gatewayController) return [];
  const before = route.status?.parents.find(
    ({ parentRef, controllerName }) => controllerName === gatewayController && sameParent(parentRef, parent),
  );
  // A Gateway that nobody has seen is nobody's: nothing is said of it.
  if (gateway === undefined) return [];
  const { reason } = attach(route, parent, gateway, world.labelsOf);
  const accepted = reason === "Accepted" ? unknownFilter(route) : fails(reason, sentences[reason]);
  return [
    {
      parentRef: parent,
      controllerName: gatewayController,
      conditions: strictConditions(
        { Accepted: accepted, ResolvedRefs: resolvedRefs(route, world) },
        before?.conditions,
        {
          generation: route.metadata.generation,
          wallMs: world.wallMs,
        },
      ),
    },
  ];
}

const sentences = {
  NoMatchingParent: "the Gateway has no listener of this name or port",
  NotAllowedByListeners: "no listener of the Gateway admits routes of this namespace and kind",
  NoMatchingListenerHostname: "no listener has a host in common with this route",
} as const;

const sameParent = (a: ParentReference, b: ParentReference): boolean =>
  a.name === b.name && a.namespace === b.namespace && a.sectionName === b.sectionName && a.port === b.port;

function unknownFilter({ spec }: HttpRoute): StrictFinding {
  const unknown = (spec.rules ?? []).some(({ filters = [] }) => filters.some(({ type }) => type === "ExtensionRef"));
  return unknown
    ? fails("UnsupportedValue", "filters of the type ExtensionRef are not served; such requests are answered with 500")
    : holds("Accepted");
}

function resolvedRefs(route: HttpRoute, world: RoutingWorld): StrictFinding {
  const references = (route.spec.rules ?? []).flatMap(({ backendRefs = [], filters = [] }) => [
    ...backendRefs,
    ...filters.flatMap(({ requestMirror }) => (requestMirror === undefined ? [] : [requestMirror.backendRef])),
  ]);
  for (const reference of references) {
    const finding = resolveBackend(route, reference, world);
    if (finding !== undefined) return finding;
  }
  return holds("ResolvedRefs");
}

function resolveBackend(
  route: HttpRoute,
  { group = "", kind = "Service", name, namespace: named }: BackendReference,
  world: RoutingWorld,
): StrictFinding | undefined {
  const own = route.metadata.namespace ?? "";
  const namespace = named ?? own;
  const isKnative = group === servingGroup && (kind === "Service" || kind === "Route");
  if (!isKnative && (group !== "" || kind !== "Service"))
    return fails("InvalidKind", `a backend is a Service or Route, not ${group === "" ? kind : `${kind}.${group}`}`);
  const from = { group: gatewayGroup, kind: "HTTPRoute", namespace: own };
  if (!isGranted({ from, to: { group, kind, namespace, name } }, world.grants()))
    return fails(
      "RefNotPermitted",
      `no ReferenceGrant of ${namespace} lets this route use ${kind} ${namespace}/${name}`,
    );
  const isThere =
    world.knativeRoute(namespace, name) !== undefined ||
    (!isKnative && world.coreService(namespace, name) !== undefined);
  return isThere ? undefined : fails("BackendNotFound", `${kind} ${namespace}/${name} is not there`);
}
