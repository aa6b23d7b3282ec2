import { nodes, pods, type Resource, revisions, routes } from "@shallop/sdk/api";
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
};

/**
 * Keeps `cluster` as the API shows it. While the control plane is away, what was known last stays. Resolves when
 * everything has been listed once; rejects when `signal` ends it before.
 */
export async function watchCluster(cluster: Cluster, options: WatchClusterOptions): Promise<void> {
  await Promise.all(watchedKinds.map((kind) => watchKind(cluster, kind, options)));
  cluster.complete = true;
}

async function watchKind<Kind extends WatchedKind>(
  cluster: Cluster,
  kind: Kind,
  { client, clock, random, log, signal, changed }: WatchClusterOptions,
): Promise<void> {
  const informer: Informer<WatchedObjects[Kind]> = startInformer(
    client,
    resources[kind],
    {},
    {
      signal,
      clock,
      random,
      log,
      onEvent: ({ type, object }) => {
        if (type === "deleted") cluster.delete(kind, object);
        else cluster.set(kind, object);
        changed(kind);
      },
    },
  );
  await informer.synced;
  // What the state file had and the API has not is gone.
  cluster.replace(kind, informer.items());
  changed(kind);
}
