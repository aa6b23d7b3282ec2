import type { GatewayListener, Gateway, HttpRoute, ParentReference, ReferenceGrant } from "./gateway-api.ts";
import type { LabelSelector } from "./core.ts";
import { gatewayGroup } from "./names.ts";

/**
 * Which listeners of a Gateway an HTTPRoute is attached to, and by which hosts: gateways send requests by it, controllers
 * write it into statuses. gateway.networking.k8s.io/v1, HTTPRoute `parentRefs` and `hostnames`, Gateway `allowedRoutes`.
 */
export interface Attachment {
  /** `Accepted`, or why the route is not: the reasons of the condition Accepted. */
  readonly reason: "Accepted" | "NoMatchingParent" | "NotAllowedByListeners" | "NoMatchingListenerHostname";
  readonly listeners: readonly { readonly listener: GatewayListener; readonly hosts: readonly string[] }[];
}

/** Labels of a namespace; undefined when it is not known. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | undefined;

/** Every host. */
export const anyHost = "*";

export function attach(
  route: HttpRoute,
  parent: ParentReference,
  gateway: Gateway,
  labelsOf: NamespaceLabels,
): Attachment {
  const namespace = route.metadata.namespace ?? "";
  const named = gateway.spec.listeners.filter(
    ({ name, port }) =>
      (parent.sectionName === undefined || parent.sectionName === name) &&
      (parent.port === undefined || parent.port === port),
  );
  if (named.length === 0) return { reason: "NoMatchingParent", listeners: [] };
  const allowing = named.filter((listener) => allows(listener, gateway, { namespace, labels: labelsOf(namespace) }));
  if (allowing.length === 0) return { reason: "NotAllowedByListeners", listeners: [] };
  const listeners = allowing
    .map((listener) => ({ listener, hosts: commonHosts(listener.hostname, route.spec.hostnames) }))
    .filter(({ hosts }) => hosts.length > 0);
  return { reason: listeners.length === 0 ? "NoMatchingListenerHostname" : "Accepted", listeners };
}

function allows(
  { protocol, allowedRoutes }: GatewayListener,
  gateway: Gateway,
  from: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> | undefined },
): boolean {
  if (protocol !== "HTTP" && protocol !== "HTTPS") return false;
  const kinds = allowedRoutes?.kinds ?? [];
  const isHttpRoute = kinds.some(({ group = gatewayGroup, kind }) => group === gatewayGroup && kind === "HTTPRoute");
  if (kinds.length > 0 && !isHttpRoute) return false;
  const { namespaces } = allowedRoutes ?? {};
  switch (namespaces?.from ?? "Same") {
    case "All":
      return true;
    case "Same":
      return from.namespace === gateway.metadata.namespace;
    case "Selector":
      return from.labels !== undefined && selects(namespaces?.selector, from.labels);
    default:
      return false;
  }
}

/** `metav1.LabelSelector`: an absent one selects nothing, an empty one everything. */
export function selects(selector: LabelSelector | undefined, labels: Readonly<Record<string, string>>): boolean {
  if (selector === undefined) return false;
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
      if (operator === "In") return value !== undefined && values.includes(value);
      if (operator === "NotIn") return value === undefined || !values.includes(value);
      return operator === "Exists" ? value !== undefined : operator === "DoesNotExist" && value === undefined;
    })
  );
}

/** The hosts that a listener and a route have in common; the narrower of two that overlap. */
export function commonHosts(listenerHost: string | undefined, routeHosts: readonly string[] = []): readonly string[] {
  const listener = listenerHost === undefined || listenerHost === "" ? anyHost : listenerHost.toLowerCase();
  if (routeHosts.length === 0) return [listener];
  return routeHosts.flatMap((host) => {
    const common = narrower(listener, host.toLowerCase());
    return common === undefined ? [] : [common];
  });
}

function narrower(a: string, b: string): string | undefined {
  if (covers(a, b)) return b;
  return covers(b, a) ? a : undefined;
}

/** Whether every name that `narrow` means is one that `wide` means. A wildcard stands for one label or more. */
export function covers(wide: string, narrow: string): boolean {
  if (wide === anyHost || wide === narrow) return true;
  if (!wide.startsWith("*.")) return false;
  const suffix = wide.slice(1);
  return narrow !== anyHost && narrow.endsWith(suffix) && narrow.length > suffix.length;
}

/** What refers to an object of another namespace, and to what. */
export interface CrossReference {
  readonly from: { readonly group: string; readonly kind: string; readonly namespace: string };
  readonly to: { readonly group: string; readonly kind: string; readonly namespace: string; readonly name: string };
}

/** Whether it may: within a namespace always, elsewhere when a ReferenceGrant of the other namespace says so. */
export function isGranted({ from, to }: CrossReference, grants: Iterable<ReferenceGrant>): boolean {
  if (from.namespace === to.namespace) return true;
  for (const { metadata, spec } of grants) {
    if (metadata.namespace !== to.namespace) continue;
    const isFrom = spec.from.some(
      ({ group, kind, namespace }) => group === from.group && kind === from.kind && namespace === from.namespace,
    );
    const isTo = spec.to.some(
      ({ group, kind, name }) =>
        group === to.group && kind === to.kind && (name === undefined || name === "" || name === to.name),
    );
    if (isFrom && isTo) return true;
  }
  return false;
}
