import {
  attach,
  type BackendReference,
  type Gateway,
  gatewayGroup,
  type HttpBackendRef,
  type HttpRoute,
  type HttpRouteMatch,
  type HttpRouteRule,
  isGranted,
  type NamespaceLabels,
  type ReferenceGrant,
  servingGroup,
} from "@shallop/sdk/api";
import { type Backend, Backends } from "./backends.ts";
import { compileFilters, compileHeaders } from "./filters.ts";
import type { HostEntries } from "./host-index.ts";
import type { Entry, PathMatch } from "./path-table.ts";
import { httpRouteTargets, ownPolicy, type PolicyBook, targetKey } from "./policy.ts";
import { compilePredicates } from "./predicates.ts";
import { allSchemes, type Rule } from "./rule.ts";

/** What a HTTPRoute is compiled with. */
export interface HttpRouteWorld {
  /** A Gateway of a class of ours. */
  readonly gateway: (namespace: string, name: string) => Gateway | undefined;
  readonly labelsOf: NamespaceLabels;
  readonly grants: () => Iterable<ReferenceGrant>;
  readonly policies: PolicyBook;
}

type Schemes = readonly ("http" | "https")[];

/** Names of the Gateways that a route wants to be attached to: `NAMESPACE/NAME`. */
export const parentsOf = ({ metadata, spec }: HttpRoute): readonly string[] =>
  (spec.parentRefs ?? [])
    .filter(({ group = gatewayGroup, kind = "Gateway" }) => group === gatewayGroup && kind === "Gateway")
    .map(({ namespace, name }) => `${namespace ?? metadata.namespace ?? ""}/${name}`);

/** A HTTPRoute as rules, for the hosts by which the listeners of its Gateways have it. */
export function compileHttpRoute(route: HttpRoute, world: HttpRouteWorld): readonly HostEntries[] {
  const { schemesByHost, gateways } = attached(route, world);
  if (schemesByHost.size === 0) return [];
  const rules = (route.spec.rules ?? []).map((rule, index) => compileRule(route, rule, { index, gateways, world }));
  return [...schemesByHost].map(([host, schemes]) => ({
    host,
    entries: rules.flatMap((makeEntries) => makeEntries(schemes)),
  }));
}

function attached(
  route: HttpRoute,
  world: HttpRouteWorld,
): { readonly schemesByHost: ReadonlyMap<string, Schemes>; readonly gateways: readonly string[] } {
  const schemesByHost = new Map<string, Schemes>();
  const gateways = new Set<string>();
  for (const parent of route.spec.parentRefs ?? []) {
    const namespace = parent.namespace ?? route.metadata.namespace ?? "";
    const isGateway = (parent.kind ?? "Gateway") === "Gateway" && (parent.group ?? gatewayGroup) === gatewayGroup;
    const gateway = isGateway ? world.gateway(namespace, parent.name) : undefined;
    if (gateway === undefined) continue;
    for (const { listener, hosts } of attach(route, parent, gateway, world.labelsOf).listeners) {
      gateways.add(targetKey(gatewayGroup, "Gateway", namespace, parent.name));
      const scheme = listener.protocol === "HTTPS" ? "https" : "http";
      for (const host of hosts) {
        const known = schemesByHost.get(host);
        if (known === undefined) schemesByHost.set(host, [scheme]);
        else if (!known.includes(scheme)) schemesByHost.set(host, allSchemes);
      }
    }
  }
  return { schemesByHost, gateways: [...gateways] };
}

interface RulePlace {
  readonly index: number;
  readonly gateways: readonly string[];
  readonly world: HttpRouteWorld;
}

/** The rule once, and its entries for each set of schemes. */
function compileRule(
  route: HttpRoute,
  rule: HttpRouteRule,
  { index, gateways, world }: RulePlace,
): (schemes: Schemes) => readonly Entry[] {
  const { name, namespace = "", creationTimestamp } = route.metadata;
  const targets = httpRouteTargets(namespace, name, { gateways, section: rule.name });
  const compiled: Rule = {
    name: `HTTPRoute ${namespace}/${name}, rule ${rule.name ?? index}`,
    namespace,
    backends: new Backends((rule.backendRefs ?? []).map((backend) => compileBackend(route, backend, world))),
    filters: compileFilters(
      [...world.policies.filters(targets), ...(rule.filters ?? [])],
      (to) => mayUse(namespace, to, world).isAllowed,
    ),
    policy: world.policies.policy(targets, ownPolicy(rule), namespace),
  };
  const matches = (rule.matches ?? [{}]).map((match, place) => ({
    path: pathMatchOf(match),
    predicates: compilePredicates(match),
    place: index * matchesMax + place,
  }));
  const origin = targetKey(gatewayGroup, "HTTPRoute", namespace, name);
  return (schemes) =>
    matches.map((match) => ({ ...match, schemes, rule: compiled, createdAt: creationTimestamp, origin }));
}

// More than the API admits in one rule: the place of a match is a number.
const matchesMax = 1_000;

function pathMatchOf({ path }: HttpRouteMatch): PathMatch {
  const value = path?.value ?? "/";
  if (path?.type === "Exact") return { kind: "exact", path: value };
  return path?.type === "RegularExpression" ? { kind: "pattern", pattern: value } : { kind: "prefix", path: value };
}

/** Whether routes of a namespace may send requests there: a kind that answers, of their own namespace or granted. */
function mayUse(
  own: string,
  { group = "", kind = "Service", name, namespace = own }: BackendReference,
  world: HttpRouteWorld,
): { readonly isKnative: boolean; readonly isAllowed: boolean } {
  const isKnative = group === servingGroup && (kind === "Service" || kind === "Route");
  const isCore = group === "" && kind === "Service";
  const from = { group: gatewayGroup, kind: "HTTPRoute", namespace: own };
  const isOurs = namespace === own || isGranted({ from, to: { group, kind, namespace, name } }, world.grants());
  return { isKnative, isAllowed: isOurs && (isKnative || isCore) };
}

function compileBackend(route: HttpRoute, backend: HttpBackendRef, world: HttpRouteWorld): Backend {
  const { name, weight = 1, filters = [] } = backend;
  const own = route.metadata.namespace ?? "";
  const { isKnative, isAllowed } = mayUse(own, backend, world);
  const changes = filters.filter(({ type }) => type === "RequestHeaderModifier" || type === "ResponseHeaderModifier");
  return {
    weight,
    key: `${backend.namespace ?? own}/${name}`,
    isKnative,
    // A filter that is not understood must not be left out (HTTPRouteFilter).
    isRefused: !isAllowed || changes.length < filters.length,
    requestHeaders: compileHeaders(filters.map(({ requestHeaderModifier }) => requestHeaderModifier)),
    responseHeaders: compileHeaders(filters.map(({ responseHeaderModifier }) => responseHeaderModifier)),
  };
}
