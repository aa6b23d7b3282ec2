import {
  type DomainMapping,
  type Gateway,
  type GatewayClass,
  gatewayController,
  gatewayGroup,
  type HttpRoute,
  type Ingress,
  type IngressClass,
  type Namespace,
  type ReferenceGrant,
  type Route,
  servingGroup,
  type TrafficPolicy,
} from "@shallop/sdk/api";
import { Backends } from "./backends.ts";
import { compileFilters, ownMirrorsOnly } from "./filters.ts";
import { HostIndex } from "./host-index.ts";
import { compileHttpRoute, parentsOf } from "./http-route.ts";
import { compileIngress, isOurs } from "./ingress.ts";
import { knativePolicy, PolicyBook, targetKey } from "./policy.ts";
import { compilePredicates } from "./predicates.ts";
import { allSchemes, type Match, type RoutedRequest, type Rule } from "./rule.ts";
import type { TrafficSplit } from "./split.ts";
import { RouteTable } from "./table.ts";

/** The kinds that say where requests go, by the names that the cluster has for them. */
export interface RoutingObjects {
  readonly routes: Route;
  readonly ingresses: Ingress;
  readonly ingressClasses: IngressClass;
  readonly gatewayClasses: GatewayClass;
  readonly gateways: Gateway;
  readonly httpRoutes: HttpRoute;
  readonly referenceGrants: ReferenceGrant;
  readonly domainMappings: DomainMapping;
  readonly trafficPolicies: TrafficPolicy;
  readonly namespaces: Namespace;
}

export type RoutingKind = keyof RoutingObjects;

type Objects = { readonly [Kind in RoutingKind]: Map<string, RoutingObjects[Kind]> };

/**
 * Which rule a request belongs to, over all kinds that route: compiled object by object as they change, so that a change
 * costs what it changes. An Ingress, HTTPRoute or DomainMapping of a host's own name comes first, then Knative's
 * Route, then wildcards, then rules for any host. Hosts under `NAMESPACE.DOMAIN` belong to that namespace: a rule of
 * another one never gets their requests.
 */
export class Router {
  readonly #domain: string;
  readonly #table: RouteTable;
  readonly #hosts = new HostIndex();
  readonly #policies = new PolicyBook();
  readonly #ruleByRoute = new Map<string, Rule>();
  readonly #httpRoutesByGateway = new Map<string, Set<string>>();
  readonly #objects: Objects = {
    routes: new Map(),
    ingresses: new Map(),
    ingressClasses: new Map(),
    gatewayClasses: new Map(),
    gateways: new Map(),
    httpRoutes: new Map(),
    referenceGrants: new Map(),
    domainMappings: new Map(),
    trafficPolicies: new Map(),
    namespaces: new Map(),
  };

  /** `domain` is what follows the namespace: `localhost`. */
  constructor(domain: string) {
    this.#domain = domain.toLowerCase();
    this.#table = new RouteTable(domain);
  }

  /** How many hosts are known. */
  get size(): number {
    return this.#table.size + this.#hosts.size;
  }

  /** Where the requests of a Knative Route go: `NAMESPACE/NAME`. */
  split(route: string): TrafficSplit | undefined {
    return this.#table.split(route);
  }

  /** Somebody has this host, if not for every request. */
  knows(host: string): boolean {
    return this.#hosts.has(host) || this.#table.lookup(host) !== undefined;
  }

  /** Undefined: nobody has this host, or no rule of it takes the request. */
  match(request: RoutedRequest): Match | undefined {
    const owner = this.ownerOf(request.host);
    const mayUse = owner === undefined ? anyRule : (rule: Rule): boolean => rule.namespace === owner;
    const named = this.#hosts.size === 0 ? undefined : this.#hosts.exact(request, mayUse);
    if (named !== undefined) return named;
    const host = this.#table.lookup(request.host);
    if (host !== undefined) {
      const rule = this.#ruleByRoute.get(host.route);
      // A tag has the rule of its Route, and a split of its own.
      if (rule !== undefined) return { rule, prefix: "/", split: host.split };
    }
    return this.#hosts.size === 0 ? undefined : this.#hosts.wild(request, mayUse);
  }

  /** `object` is of `kind`. */
  set(kind: RoutingKind, object: RoutingObjects[RoutingKind]): void {
    const key = keyOf(object);
    const objects: Map<string, RoutingObjects[RoutingKind]> = this.#objects[kind];
    const before = objects.get(key);
    objects.set(key, object);
    this.#changed(kind, key, before);
  }

  delete(kind: RoutingKind, object: RoutingObjects[RoutingKind]): void {
    const key = keyOf(object);
    const before = this.#objects[kind].get(key);
    if (before === undefined) return;
    this.#objects[kind].delete(key);
    this.#changed(kind, key, before);
  }

  /** Compiles anew what an object that has changed, come or gone is part of. */
  #changed(kind: RoutingKind, key: string, before: RoutingObjects[RoutingKind] | undefined): void {
    switch (kind) {
      case "routes":
        return this.#compileRoute(key, before as Route | undefined);
      case "ingresses":
        return this.#compileIngress(key);
      case "httpRoutes":
        return this.#compileHttpRoute(key, before as HttpRoute | undefined);
      case "domainMappings":
        return this.#compileMapping(key);
      case "trafficPolicies":
        return this.#policyChanged(key, before as TrafficPolicy | undefined);
      case "gateways":
        for (const route of this.#httpRoutesByGateway.get(key) ?? []) this.#compileHttpRoute(route);
        return;
      case "ingressClasses":
        for (const ingress of this.#objects.ingresses.keys()) this.#compileIngress(ingress);
        return;
      case "namespaces":
        // Only labels matter, and only to listeners that select by them.
        if (sameLabels(before as Namespace | undefined, this.#objects.namespaces.get(key))) return;
        return this.#compileAllHttpRoutes();
      case "gatewayClasses":
      case "referenceGrants":
        return this.#compileAllHttpRoutes();
      default:
        return kind satisfies never;
    }
  }

  #compileAllHttpRoutes(): void {
    for (const route of this.#objects.httpRoutes.keys()) this.#compileHttpRoute(route);
  }

  #compileRoute(key: string, before?: Route): void {
    const route = this.#objects.routes.get(key);
    if (route === undefined) {
      if (before !== undefined) this.#table.delete(before.metadata.namespace ?? "", before.metadata.name);
      this.#ruleByRoute.delete(key);
      return;
    }
    this.#table.set(route);
    const { name, namespace = "" } = route.metadata;
    const targets = ["Service", "Route"].map((kind) => targetKey(servingGroup, kind, namespace, name));
    this.#ruleByRoute.set(key, {
      name: `Route ${key}`,
      namespace,
      backends: new Backends([{ weight: 1, key, isKnative: true, isRefused: false }]),
      filters: compileFilters(this.#policies.filters(targets), ownMirrorsOnly(namespace)),
      policy: this.#policies.policy(targets, knativePolicy(route), namespace),
    });
  }

  #compileIngress(key: string): void {
    const ingress = this.#objects.ingresses.get(key);
    const origin = `ingress ${key}`;
    if (ingress === undefined || !isOurs(ingress, (name) => this.#objects.ingressClasses.get(`/${name}`)))
      return this.#hosts.delete(origin);
    this.#hosts.set(origin, compileIngress(ingress, this.#policies));
  }

  #compileHttpRoute(key: string, before?: HttpRoute): void {
    const route = this.#objects.httpRoutes.get(key);
    const origin = `route ${key}`;
    if (before !== undefined)
      for (const gateway of parentsOf(before)) this.#httpRoutesByGateway.get(gateway)?.delete(key);
    if (route === undefined) return this.#hosts.delete(origin);
    for (const gateway of parentsOf(route)) {
      const routes = this.#httpRoutesByGateway.get(gateway);
      if (routes === undefined) this.#httpRoutesByGateway.set(gateway, new Set([key]));
      else routes.add(key);
    }
    this.#hosts.set(
      origin,
      compileHttpRoute(route, {
        gateway: (namespace, name) => this.#ownGateway(`${namespace}/${name}`),
        labelsOf: (namespace) => this.#objects.namespaces.get(`/${namespace}`)?.metadata.labels,
        grants: () => this.#objects.referenceGrants.values(),
        policies: this.#policies,
      }),
    );
  }

  #ownGateway(key: string): Gateway | undefined {
    const gateway = this.#objects.gateways.get(key);
    if (gateway === undefined) return undefined;
    const found = this.#objects.gatewayClasses.get(`/${gateway.spec.gatewayClassName}`);
    return found?.spec.controllerName === gatewayController ? gateway : undefined;
  }

  #compileMapping(key: string): void {
    const mapping = this.#objects.domainMappings.get(key);
    const origin = `mapping ${key}`;
    if (mapping === undefined) return this.#hosts.delete(origin);
    const { name, namespace = "", creationTimestamp } = mapping.metadata;
    const targets = [
      targetKey(servingGroup, "Service", namespace, mapping.spec.ref.name),
      targetKey(servingGroup, "Route", namespace, mapping.spec.ref.name),
      targetKey(servingGroup, "DomainMapping", namespace, name),
    ];
    const rule: Rule = {
      name: `DomainMapping ${key}`,
      namespace,
      backends: new Backends([
        { weight: 1, key: `${namespace}/${mapping.spec.ref.name}`, isKnative: true, isRefused: false },
      ]),
      filters: compileFilters(this.#policies.filters(targets), ownMirrorsOnly(namespace)),
      policy: this.#policies.policy(targets, knativePolicy(mapping), namespace),
    };
    const path = { kind: "prefix", path: "/" } as const;
    const predicates = compilePredicates({});
    const entry = { path, predicates, schemes: allSchemes, rule, createdAt: creationTimestamp, origin, place: 0 };
    this.#hosts.set(origin, [{ host: name.toLowerCase(), entries: [entry] }]);
  }

  #policyChanged(key: string, before: TrafficPolicy | undefined): void {
    const policy = this.#objects.trafficPolicies.get(key);
    const touched =
      policy === undefined
        ? this.#policies.delete(before?.metadata.namespace ?? "", before?.metadata.name ?? "")
        : this.#policies.set(policy);
    for (const target of touched) this.#targetChanged(target);
  }

  /** `GROUP/KIND/NAMESPACE/NAME#SECTION`; groups have no slash. */
  #targetChanged(target: string): void {
    const [group = "", kind = "", namespace = "", rest = ""] = target.split("/");
    const [name = ""] = rest.split("#");
    const key = `${namespace}/${name}`;
    if (group === servingGroup) {
      if (kind !== "DomainMapping") this.#compileRoute(key);
      for (const [mappingKey, { metadata, spec }] of this.#objects.domainMappings)
        if (metadata.namespace === namespace && (metadata.name === name || spec.ref.name === name))
          this.#compileMapping(mappingKey);
    } else if (kind === "Ingress") this.#compileIngress(key);
    else if (kind === "HTTPRoute" && group === gatewayGroup) this.#compileHttpRoute(key);
    else for (const route of this.#httpRoutesByGateway.get(key) ?? []) this.#compileHttpRoute(route);
  }

  /** The namespace that a host of the platform's own domain belongs to: `NAME.NAMESPACE.DOMAIN`. */
  ownerOf(host: string): string | undefined {
    if (!host.endsWith(this.#domain)) return undefined;
    const end = host.length - this.#domain.length - 1;
    if (end <= 0 || host[end] !== ".") return undefined;
    return host.slice(host.lastIndexOf(".", end - 1) + 1, end);
  }
}

const anyRule = (): boolean => true;

const keyOf = ({ metadata }: RoutingObjects[RoutingKind]): string => `${metadata.namespace ?? ""}/${metadata.name}`;

const sameLabels = (a: Namespace | undefined, b: Namespace | undefined): boolean =>
  JSON.stringify(a?.metadata.labels ?? {}) === JSON.stringify(b?.metadata.labels ?? {});
