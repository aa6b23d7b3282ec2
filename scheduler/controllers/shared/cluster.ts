import {
  type ApiObject,
  type Configuration,
  configurations,
  type CoreService,
  coreServices,
  type DomainMapping,
  domainMappings,
  type EndpointSlice,
  endpointSlices,
  type Gateway,
  type GatewayClass,
  gatewayClasses,
  gateways,
  type HttpRoute,
  httpRoutes,
  type Ingress,
  type IngressClass,
  ingressClasses,
  ingresses,
  type ImagePolicy,
  imagePolicies,
  label,
  type Namespace,
  namespaces,
  type NewObject,
  type Node,
  nodes,
  type Pod,
  pods,
  type ReferenceGrant,
  referenceGrants,
  type Resource,
  type Revision,
  revisions,
  type Route,
  routes,
  type Secret,
  secrets,
  type Service,
  services,
  trafficPolicies,
  type TrafficPolicy,
} from "@shallop/sdk/api";
import type { ApiClient } from "@shallop/sdk/client";
import { type Clock, errorCode, type Log, type Random } from "@shallop/sdk/internal";
import { type Change, type Indexer, keyAt, Mirror } from "./mirror.ts";

/** The kinds that controllers keep in mind. */
export interface WatchedKinds {
  readonly namespaces: Namespace;
  readonly nodes: Node;
  readonly services: Service;
  readonly configurations: Configuration;
  readonly revisions: Revision;
  readonly routes: Route;
  readonly pods: Pod;
  readonly secrets: Secret;
  readonly coreServices: CoreService;
  readonly endpointSlices: EndpointSlice;
  readonly ingressClasses: IngressClass;
  readonly ingresses: Ingress;
  readonly gatewayClasses: GatewayClass;
  readonly gateways: Gateway;
  readonly referenceGrants: ReferenceGrant;
  readonly httpRoutes: HttpRoute;
  readonly domainMappings: DomainMapping;
  readonly trafficPolicies: TrafficPolicy;
  readonly imagePolicies: ImagePolicy;
}
export type WatchedKind = keyof WatchedKinds;

/** Every watched kind, owners before what they own. */
export const watchedResources: { readonly [Kind in WatchedKind]: Resource<WatchedKinds[Kind]> } = {
  namespaces,
  nodes,
  services,
  configurations,
  revisions,
  routes,
  pods,
  secrets,
  coreServices,
  endpointSlices,
  ingressClasses,
  ingresses,
  gatewayClasses,
  gateways,
  referenceGrants,
  httpRoutes,
  domainMappings,
  trafficPolicies,
  imagePolicies,
};
export const watchedKinds = Object.keys(watchedResources) as readonly WatchedKind[];

export interface ClusterOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Ends the watches. */
  readonly signal: AbortSignal;
}

type Listener = (kind: WatchedKind, change: Change<ApiObject>) => void;

/** By label, in the same namespace: `NAMESPACE/VALUE`. */
const byLabel =
  (name: string): Indexer<ApiObject> =>
  ({ metadata }) => {
    const value = metadata.labels?.[name];
    return value === undefined ? [] : [keyAt(metadata.namespace, value)];
  };
const byOwner: Indexer<ApiObject> = ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid);

const inNamespace: Indexer<ApiObject> = ({ metadata }) => [metadata.namespace ?? ""];

/** Gateways that a route names: `NAMESPACE/NAME`. */
export const gatewaysOf = ({ metadata, spec }: HttpRoute): readonly string[] =>
  (spec.parentRefs ?? []).map(({ namespace, name }) => `${namespace ?? metadata.namespace ?? ""}/${name}`);

const indexers: { readonly [Kind in WatchedKind]?: Readonly<Record<string, Indexer<WatchedKinds[Kind]>>> } = {
  configurations: { owner: byOwner },
  routes: { owner: byOwner, namespace: inNamespace },
  coreServices: { owner: byOwner, namespace: inNamespace },
  endpointSlices: { owner: byOwner },
  secrets: { owner: byOwner },
  ingresses: { owner: byOwner },
  gateways: { owner: byOwner },
  httpRoutes: { owner: byOwner, gateway: gatewaysOf },
  domainMappings: { owner: byOwner },
  trafficPolicies: { owner: byOwner },
  revisions: { owner: byOwner, configuration: byLabel(label.configuration), service: byLabel(label.service) },
  pods: {
    owner: byOwner,
    revision: byLabel(label.revision),
    namespace: inNamespace,
    node: ({ spec }) => (spec.nodeName === undefined ? [] : [spec.nodeName]),
  },
};

/** The cluster as controllers see it, and the way in which they change it: what was written is seen at once. */
export class Cluster {
  readonly client: ApiClient;
  readonly #mirrors: { readonly [Kind in WatchedKind]: Mirror<WatchedKinds[Kind]> };
  readonly #listeners: Listener[] = [];

  constructor(options: ClusterOptions) {
    this.client = options.client;
    const mirror = <Kind extends WatchedKind>(kind: Kind): Mirror<WatchedKinds[Kind]> => {
      const { client, ...rest } = options;
      const index = indexers[kind];
      return new Mirror(client, watchedResources[kind], {
        ...rest,
        ...(index === undefined ? {} : { indexers: index }),
        onChange: (change) => {
          for (const listener of this.#listeners) listener(kind, change);
        },
      });
    };
    this.#mirrors = {
      namespaces: mirror("namespaces"),
      nodes: mirror("nodes"),
      services: mirror("services"),
      configurations: mirror("configurations"),
      revisions: mirror("revisions"),
      routes: mirror("routes"),
      pods: mirror("pods"),
      secrets: mirror("secrets"),
      coreServices: mirror("coreServices"),
      endpointSlices: mirror("endpointSlices"),
      ingressClasses: mirror("ingressClasses"),
      ingresses: mirror("ingresses"),
      gatewayClasses: mirror("gatewayClasses"),
      gateways: mirror("gateways"),
      referenceGrants: mirror("referenceGrants"),
      httpRoutes: mirror("httpRoutes"),
      domainMappings: mirror("domainMappings"),
      trafficPolicies: mirror("trafficPolicies"),
      imagePolicies: mirror("imagePolicies"),
    };
  }

  /** Resolves when everything has been listed once. Rejects when the watches end before. */
  async synced(): Promise<void> {
    await Promise.all(Object.values(this.#mirrors).map((mirror) => mirror.synced));
  }

  /** Resolves when the watches have ended. */
  async stopped(): Promise<void> {
    await Promise.all(Object.values(this.#mirrors).map((mirror) => mirror.stopped));
  }

  of<Kind extends WatchedKind>(kind: Kind): Mirror<WatchedKinds[Kind]> {
    return this.#mirrors[kind];
  }

  /** Is told of each change, ours or not, at once; must be quick and must not throw. */
  onChange(listener: Listener): void {
    this.#listeners.push(listener);
  }

  async create<Kind extends WatchedKind>(
    kind: Kind,
    object: NewObject<WatchedKinds[Kind]>,
  ): Promise<WatchedKinds[Kind]> {
    const created = await this.client.create(watchedResources[kind], object);
    this.of(kind).wrote(created);
    return created;
  }

  async update<Kind extends WatchedKind>(kind: Kind, object: WatchedKinds[Kind]): Promise<WatchedKinds[Kind]> {
    const updated = await this.client.update(watchedResources[kind], object);
    this.of(kind).wrote(updated);
    return updated;
  }

  async updateStatus<Kind extends WatchedKind>(kind: Kind, object: WatchedKinds[Kind]): Promise<WatchedKinds[Kind]> {
    const updated = await this.client.updateStatus(watchedResources[kind], object);
    this.of(kind).wrote(updated);
    return updated;
  }

  /** Merges `body` into the object; of metadata and spec, whatever others have written meanwhile. */
  async merge<Kind extends WatchedKind>(kind: Kind, object: ApiObject, body: unknown): Promise<WatchedKinds[Kind]> {
    const { name, namespace } = object.metadata;
    const target = { name, ...(namespace === undefined ? {} : { namespace }) };
    const merged = await this.client.patch(watchedResources[kind], target, { type: "merge", body });
    this.of(kind).wrote(merged);
    return merged;
  }

  /** Deletes this very object. One that is gone already is fine. */
  async delete<Kind extends WatchedKind>(
    kind: Kind,
    object: WatchedKinds[Kind],
    gracePeriodSeconds?: number,
  ): Promise<void> {
    const { name, namespace, uid } = object.metadata;
    const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
    try {
      await this.client.delete(watchedResources[kind], {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        uid,
        ...grace,
      });
    } catch (error) {
      // Gone, or another one by now: either way this one is not there.
      if (errorCode(error) !== "NotFound" && errorCode(error) !== "Conflict") throw error;
    }
    this.of(kind).deleted(object);
  }
}
