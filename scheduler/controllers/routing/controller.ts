import {
  type ApiObject,
  type EndpointSlice,
  gatewayController,
  gatewayGroup,
  type HttpRoute,
  type Ingress,
  networkingGroup,
  type Secret,
  servingGroup,
} from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import type { Clock } from "@shallop/sdk/internal";
import { planDomainMapping } from "../domain-mapping/plan.ts";
import { planEndpointSlice, sliceName } from "../endpoint-slice/plan.ts";
import { planGateway, planGatewayClass } from "../http-gateway/plan.ts";
import { planHttpRoute } from "../http-route/plan.ts";
import { faultySecrets, ownClass, planIngress } from "../ingress/plan.ts";
import type { Addresses } from "../shared/addresses.ts";
import { certificateFault } from "../shared/certificate-fault.ts";
import { type Cluster, gatewaysOf, type WatchedKind, type WatchedKinds } from "../shared/cluster.ts";
import { type Change, keyOf } from "../shared/mirror.ts";
import { same } from "../shared/same.ts";
import { planTrafficPolicy } from "../traffic-policy/plan.ts";
import type { RoutingWorld } from "./routing-world.ts";

/** The kinds whose statuses say what the gateway makes of them, and Services, whose slices are kept. */
const lookedAfter = [
  "gatewayClasses",
  "gateways",
  "httpRoutes",
  "ingresses",
  "domainMappings",
  "trafficPolicies",
  "coreServices",
] as const satisfies readonly WatchedKind[];
type LookedAfter = (typeof lookedAfter)[number];

export interface RoutingControllerOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly addresses: Addresses;
  readonly events: EventRecorder;
}

/**
 * Writes what becomes of the objects that route requests: gateways follow the objects themselves, so nothing here is on
 * the way of a request. Keys are `KIND NAMESPACE/NAME`.
 */
export class RoutingController {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #addresses: Addresses;
  readonly #events: EventRecorder;
  /** Secrets without a usable certificate that an Ingress has been told of. */
  readonly #told = new WeakMap<Secret, Set<string>>();

  constructor({ cluster, clock, addresses, events }: RoutingControllerOptions) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#addresses = addresses;
    this.#events = events;
  }

  /** The classes by which Ingresses and Gateways are ours, where nobody has made them. */
  async ensureClasses(): Promise<void> {
    if (this.#cluster.of("gatewayClasses").get(undefined, ownClass) === undefined)
      await this.#cluster.create("gatewayClasses", {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "GatewayClass",
        metadata: { name: ownClass },
        spec: { controllerName: gatewayController },
      });
    if (this.#cluster.of("ingressClasses").get(undefined, ownClass) === undefined)
      await this.#cluster.create("ingressClasses", {
        apiVersion: "networking.k8s.io/v1",
        kind: "IngressClass",
        metadata: { name: ownClass },
        spec: { controller: gatewayController },
      });
  }

  /** Keys to look at after a change. */
  keysAfter(kind: WatchedKind, change: Change<ApiObject>): readonly string[] {
    const { before, after } = change;
    const object = after ?? before;
    if (object === undefined) return [];
    const own = isLookedAfter(kind) ? [keyFor(kind, object)] : [];
    if (kind === "routes") return [...this.#naming(object), ...(isThere(change) ? [] : this.#all("trafficPolicies"))];
    if (kind === "pods") return this.#servicesOf(object.metadata.namespace ?? "");
    // A status that was written, by us at most times, is no news to others.
    if (isThere(change) && before?.metadata.generation === after?.metadata.generation && kind !== "secrets") return own;
    if (kind === "httpRoutes") return [...own, ...this.#parentsOf([before, after]), ...this.#all("trafficPolicies")];
    if (kind === "coreServices") return [...own, ...this.#naming(object)];
    const ingresses = kind === "secrets" ? this.#withSecret(object) : [];
    return [...own, ...ingresses, ...(concerned[kind] ?? []).flatMap((other) => this.#all(other))];
  }

  async reconcile(key: string): Promise<undefined> {
    const [kind = "", name = ""] = key.split(" ");
    const slash = name.indexOf("/");
    if (!isLookedAfter(kind)) return;
    const namespace = slash === -1 ? undefined : name.slice(0, slash);
    await this.#reconcile(kind, namespace, name.slice(slash + 1));
  }

  async #reconcile(kind: LookedAfter, namespace: string | undefined, name: string): Promise<void> {
    const world = this.#world();
    switch (kind) {
      case "gatewayClasses":
        return this.#write(kind, { namespace, name }, (found) => planGatewayClass(found, world.wallMs));
      case "gateways":
        return this.#write(kind, { namespace, name }, (gateway) => planGateway(gateway, world));
      case "httpRoutes":
        return this.#write(kind, { namespace, name }, (route) => planHttpRoute(route, world));
      case "ingresses":
        return this.#write(kind, { namespace, name }, (ingress) => {
          const status = planIngress(ingress, world);
          if (status !== undefined) this.#tellFaults(ingress, world);
          return status;
        });
      case "domainMappings":
        return this.#write(kind, { namespace, name }, (mapping) => planDomainMapping(mapping, world));
      case "trafficPolicies":
        return this.#write(kind, { namespace, name }, (policy) => planTrafficPolicy(policy, world));
      case "coreServices":
        return this.#keepSlice(namespace ?? "", name);
      default:
        return kind satisfies never;
    }
  }

  /** An Ingress has no condition that could say it. */
  #tellFaults(ingress: Ingress, world: RoutingWorld): void {
    for (const { secret, fault } of faultySecrets(ingress, world)) {
      const told = this.#told.get(secret) ?? new Set();
      this.#told.set(secret, told);
      if (told.has(ingress.metadata.uid)) continue;
      told.add(ingress.metadata.uid);
      const message = `Secret ${secret.metadata.name} cannot be used: ${fault}; the certificate before it stays, where there was one`;
      this.#events.event(referenceTo(ingress), "Warning", "CertificateInvalid", message);
    }
  }

  /** Writes the status that `plan` gives; undefined leaves the one that there is. */
  async #write<Kind extends LookedAfter>(
    kind: Kind,
    at: { readonly namespace: string | undefined; readonly name: string },
    plan: (object: WatchedKinds[Kind]) => unknown,
  ): Promise<void> {
    const object = this.#cluster.of(kind).get(at.namespace, at.name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return;
    const status = plan(object);
    const { status: before }: { readonly status?: unknown } = object;
    if (status === undefined || same(before, status)) return;
    await this.#cluster.updateStatus(kind, { ...object, status });
  }

  async #keepSlice(namespace: string, name: string): Promise<void> {
    const service = this.#cluster.of("coreServices").get(namespace, name);
    if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
    const wanted = planEndpointSlice(service, this.#cluster.of("pods").indexed("namespace", namespace));
    if (wanted === undefined) return;
    const present = this.#cluster.of("endpointSlices").get(namespace, sliceName(name));
    if (present === undefined) await this.#cluster.create("endpointSlices", wanted);
    else if (!sameSlice(present, wanted))
      await this.#cluster.update("endpointSlices", {
        ...present,
        endpoints: wanted.endpoints,
        ports: wanted.ports ?? [],
      });
  }

  #world(): RoutingWorld {
    const cluster = this.#cluster;
    const { gatewayHost, gatewayPort } = this.#addresses;
    const mappings = (): readonly ApiObject[] => [...cluster.of("domainMappings").items()];
    return {
      wallMs: this.#clock.wallMs(),
      gatewayAddress: gatewayHost,
      urlOf: (host) => `http://${host}${gatewayPort === 80 ? "" : `:${gatewayPort}`}`,
      labelsOf: (namespace) => cluster.of("namespaces").get(undefined, namespace)?.metadata.labels,
      gatewayClass: (name) => cluster.of("gatewayClasses").get(undefined, name),
      ingressClass: (name) => cluster.of("ingressClasses").get(undefined, name),
      gateway: (namespace, name) => cluster.of("gateways").get(namespace, name),
      routesOf: (namespace, name) => cluster.of("httpRoutes").indexed("gateway", `${namespace}/${name}`),
      grants: () => cluster.of("referenceGrants").items(),
      secret: (namespace, name) => cluster.of("secrets").get(namespace, name),
      certificateFault,
      knativeRoute: (namespace, name) => cluster.of("routes").get(namespace, name),
      coreService: (namespace, name) => cluster.of("coreServices").get(namespace, name),
      exists: (group, kind, namespace, name) => {
        const found = targetKinds[`${group}/${kind}`];
        return found !== undefined && cluster.of(found).get(namespace, name) !== undefined;
      },
      policies: () => cluster.of("trafficPolicies").items(),
      claimedBy: (domain, namespace) => {
        const [first] = mappings()
          .filter(({ metadata }) => metadata.name === domain)
          .toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
        const owner = first?.metadata.namespace;
        return owner === namespace ? undefined : owner;
      },
    };
  }

  #all(kind: LookedAfter): readonly string[] {
    return [...this.#cluster.of(kind).items()].map((object) => keyFor(kind, object));
  }

  #parentsOf(routes: readonly (ApiObject | undefined)[]): readonly string[] {
    return routes
      .flatMap((route) => (route === undefined ? [] : gatewaysOf(route as HttpRoute)))
      .map((key) => `gateways ${key}`);
  }

  /** What refers to a Service or Route of this name. */
  #naming({ metadata }: ApiObject): readonly string[] {
    const isNamed = ({ name }: { readonly name: string }): boolean => name === metadata.name;
    const routes = [...this.#cluster.of("httpRoutes").items()].filter(({ spec }) =>
      (spec.rules ?? []).some(({ backendRefs = [] }) => backendRefs.some(isNamed)),
    );
    const mappings = [...this.#cluster.of("domainMappings").items()].filter(({ spec }) => isNamed(spec.ref));
    return [
      ...routes.map((route) => keyFor("httpRoutes", route)),
      ...mappings.map((mapping) => keyFor("domainMappings", mapping)),
    ];
  }

  /** Ingresses whose certificates are in this Secret: there may be thousands of others. */
  #withSecret({ metadata: { namespace, name } }: ApiObject): readonly string[] {
    return [...this.#cluster.of("ingresses").items()]
      .filter(
        ({ metadata, spec }) => metadata.namespace === namespace && spec?.tls?.some((tls) => tls.secretName === name),
      )
      .map((ingress) => keyFor("ingresses", ingress));
  }

  #servicesOf(namespace: string): readonly string[] {
    return this.#cluster
      .of("coreServices")
      .indexed("namespace", namespace)
      .map((service) => keyFor("coreServices", service));
  }
}

/** Which kinds have to be looked at when an object of a kind comes, goes or says something else. */
const concerned: { readonly [Kind in WatchedKind]?: readonly LookedAfter[] } = {
  gatewayClasses: ["gateways", "httpRoutes"],
  referenceGrants: ["gateways", "httpRoutes"],
  namespaces: ["gateways", "httpRoutes"],
  ingressClasses: ["ingresses"],
  gateways: ["httpRoutes", "trafficPolicies"],
  ingresses: ["trafficPolicies"],
  secrets: ["gateways", "domainMappings", "trafficPolicies"],
  domainMappings: ["domainMappings", "trafficPolicies"],
  trafficPolicies: ["trafficPolicies"],
};

/** It was there and still is. */
const isThere = ({ before, after }: Change<ApiObject>): boolean => before !== undefined && after !== undefined;

/** Where policies can be attached, by `GROUP/KIND`. */
const targetKinds: Readonly<Record<string, WatchedKind>> = {
  [`${servingGroup}/Route`]: "routes",
  [`${servingGroup}/Service`]: "routes",
  [`${servingGroup}/DomainMapping`]: "domainMappings",
  [`${networkingGroup}/Ingress`]: "ingresses",
  [`${gatewayGroup}/HTTPRoute`]: "httpRoutes",
  [`${gatewayGroup}/Gateway`]: "gateways",
};

const isLookedAfter = (kind: string): kind is LookedAfter => (lookedAfter as readonly string[]).includes(kind);

const keyFor = (kind: LookedAfter, object: ApiObject): string => `${kind} ${keyOf(object)}`;

const sameSlice = (present: EndpointSlice, wanted: Pick<EndpointSlice, "endpoints" | "ports">): boolean =>
  same(present.endpoints, wanted.endpoints) && same(present.ports, wanted.ports);
