import { type ApiObject, events, kinds, type Namespace } from "@shallop/sdk/api";
import { errorCode } from "@shallop/sdk/internal";
import type { Cluster } from "../shared/cluster.ts";

/** Lets a namespace go, once nothing is left in it (`namespaces/finalize`). */
export interface NamespaceFinalizer {
  /** @throws ApiFault NotFound, Conflict */
  finalizeNamespace(name: string): Promise<void>;
}

/** Pods need their grace period; what is left is looked at again this often. */
const lookAgainMs = 500;

/** A namespace that is being deleted: first everything in it, then the namespace itself. */
export class NamespaceController {
  readonly #cluster: Cluster;
  readonly #finalizer: NamespaceFinalizer;

  constructor(cluster: Cluster, finalizer: NamespaceFinalizer) {
    this.#cluster = cluster;
    this.#finalizer = finalizer;
  }

  async reconcile(name: string): Promise<number | undefined> {
    const namespace = this.#cluster.of("namespaces").get(undefined, name);
    if (namespace === undefined || !isEmptied(namespace)) return undefined;
    let left = 0;
    for (const { resource } of kinds) {
      if (!resource.namespaced) continue;
      // Asked, not remembered: events are not kept in mind, and this must be the whole truth.
      const { items } = await this.#cluster.client.list(resource, { namespace: name });
      left += items.length;
      for (const object of items) await this.#delete(resource, object);
    }
    // Those that went at once are gone by the next look.
    if (left > 0) return lookAgainMs;
    await this.#finalizer.finalizeNamespace(name);
    return undefined;
  }

  async #delete(resource: (typeof kinds)[number]["resource"], { metadata }: ApiObject): Promise<void> {
    if (metadata.deletionTimestamp !== undefined && resource.plural !== events.plural) return;
    try {
      const { name, namespace = "", uid } = metadata;
      await this.#cluster.client.delete(resource, { namespace, name, uid });
    } catch (error) {
      if (errorCode(error) !== "NotFound" && errorCode(error) !== "Conflict") throw error;
    }
  }
}

const isEmptied = ({ metadata, spec }: Namespace): boolean =>
  metadata.deletionTimestamp !== undefined && (spec?.finalizers ?? []).includes("kubernetes");
