import {
  coreServices,
  domainMappings,
  gatewayClasses,
  gateways,
  httpRoutes,
  ingressClasses,
  ingresses,
  namespaces,
  nodes,
  pods,
  referenceGrants,
  type Resource,
  revisions,
  routes,
  secrets,
  secretType,
  trafficPolicies,
} from "@shallop/sdk/api";
import { type ApiClient, type Informer, startInformer } from "@shallop/sdk/client";
import type { Clock, Log, Random } from "@shallop/sdk/internal";
import { type Cluster, type WatchedKind, watchedKinds, type WatchedObjects } from "./route/cluster.ts";

export interface WatchClusterOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** An object has come, changed or gone. */
  readonly changed: (kind: WatchedKind) => void;
}

const resources: { readonly [Kind in WatchedKind]: Resource<WatchedObjects[Kind]> } = {
  nodes,
  pods,
  revisions,
  routes,
  coreServices,
  secrets,
  namespaces,
  gatewayClasses,
  gateways,
  httpRoutes,
  ingressClasses,
  ingresses,
  referenceGrants,
  domainMappings,
  trafficPolicies,
};

/**
 * Keeps `cluster` as the API shows it. While the control plane is away, what was known last stays. Resolves when
 * everything has been listed once; rejects when `signal` ends it before.
 */
export async function watchCluster(cluster: Cluster, options: WatchClusterOptions): Promise<void> {
  const kinds = watchedKinds.filter((kind) => kind !== "secrets");
  await Promise.all([
    ...kinds.map((kind) => watchKind(cluster, { kind }, options)),
    // The API gives a gateway the secrets of a type that it names, and only these.
    ...Object.values(secretType).map((type) => watchKind(cluster, { kind: "secrets", type }, options)),
  ]);
  cluster.complete = true;
}

async function watchKind<Kind extends WatchedKind>(
  cluster: Cluster,
  { kind, type }: { readonly kind: Kind; readonly type?: string },
  { client, clock, random, log, signal, changed }: WatchClusterOptions,
): Promise<void> {
  const informer: Informer<WatchedObjects[Kind]> = startInformer(
    client,
    resources[kind],
    type === undefined ? {} : { fieldSelector: `type=${type}` },
    {
      signal,
      clock,
      random,
      log,
      onEvent: ({ type: event, object }) => {
        if (event === "deleted") cluster.delete(kind, object);
        else cluster.set(kind, object);
        changed(kind);
      },
    },
  );
  await informer.synced;
  // What the state file had and the API has not is gone.
  cluster.replace(kind, informer.items(), (object) => type === undefined || ("type" in object && object.type === type));
  changed(kind);
}
