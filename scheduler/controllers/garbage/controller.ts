import { type ApiObject, apiVersionOf, type OwnerReference, type Resource } from "@shallop/sdk/api";
import { errorCode, unreachable } from "@shallop/sdk/internal";
import {
  type Cluster,
  type WatchedKind,
  type WatchedKinds,
  watchedKinds,
  watchedResources,
} from "../shared/cluster.ts";
import { type Change, keyOf } from "../shared/mirror.ts";
import { type CollectAction, foregroundFinalizer, type OwnerState, planCollect } from "./plan.ts";

/** Kinds whose objects have owners. */
const ownedKinds = [
  "configurations",
  "routes",
  "revisions",
  "pods",
  "secrets",
  "coreServices",
  "endpointSlices",
  "ingresses",
  "gateways",
  "httpRoutes",
  "domainMappings",
  "trafficPolicies",
] as const satisfies readonly WatchedKind[];

interface Found {
  readonly kind: WatchedKind;
  readonly object: ApiObject;
}

/** Deletes what has lost its owners, and sees deletions in the foreground, or with orphans, to their end. */
export class GarbageController {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The queue's key of an object: it must tell kinds apart. */
  static keyOf(kind: WatchedKind, object: ApiObject): string {
    return `${kind} ${keyOf(object)}`;
  }

  /** Keys of what a change concerns: the object, its owners that wait, and its dependents when it goes. */
  keysAfter(kind: WatchedKind, { before, after }: Change<ApiObject>): readonly string[] {
    const keys = after === undefined ? [] : [GarbageController.keyOf(kind, after)];
    const owners = new Set(
      [before, after].flatMap((object) => object?.metadata.ownerReferences ?? []).map(({ uid }) => uid),
    );
    for (const uid of owners) {
      const owner = this.#byUid(uid);
      if (owner?.object.metadata.deletionTimestamp !== undefined) {
        keys.push(GarbageController.keyOf(owner.kind, owner.object));
      }
    }
    const going = after === undefined ? before : after.metadata.deletionTimestamp === undefined ? undefined : after;
    if (going !== undefined) {
      const dependents = this.#dependentsOf(going.metadata.uid);
      keys.push(...dependents.map((found) => GarbageController.keyOf(found.kind, found.object)));
    }
    return keys;
  }

  async reconcile(key: string): Promise<undefined> {
    const [kind = "", name = ""] = key.split(" ");
    const watched = watchedKinds.find((candidate) => candidate === kind);
    const object = watched === undefined ? undefined : this.#find(watched, name);
    if (watched === undefined || object === undefined) return;
    const dependents = this.#dependentsOf(object.metadata.uid);
    const states = new Map<string, OwnerState>();
    if (object.metadata.deletionTimestamp === undefined) {
      for (const reference of object.metadata.ownerReferences ?? []) {
        states.set(reference.uid, await this.#ownerState(reference, object.metadata.namespace));
      }
    }
    const actions = planCollect(
      object,
      ({ uid }) => states.get(uid) ?? "present",
      dependents.map((found) => found.object),
    );
    for (const action of actions) await this.#execute({ kind: watched, object }, action, dependents);
  }

  async #execute(found: Found, action: CollectAction, dependents: readonly Found[]): Promise<void> {
    const { kind, object } = found;
    const { finalizers = [], ownerReferences = [], resourceVersion } = object.metadata;
    switch (action.kind) {
      case "delete":
        return this.#delete(found, action.foreground);
      case "drop-owners": {
        const kept = ownerReferences.filter(({ uid }) => !action.uids.includes(uid));
        await this.#cluster.merge(kind, object, { metadata: { resourceVersion, ownerReferences: kept } });
        return;
      }
      case "remove-finalizer": {
        const kept = finalizers.filter((finalizer) => finalizer !== action.finalizer);
        await this.#cluster.merge(kind, object, { metadata: { resourceVersion, finalizers: kept } });
        return;
      }
      case "orphan-dependents":
        for (const dependent of dependents) await this.#disown(dependent, object.metadata.uid);
        return;
      case "delete-dependents":
        for (const dependent of dependents) {
          if (dependent.object.metadata.deletionTimestamp !== undefined) continue;
          const hasOthers = (dependent.object.metadata.ownerReferences ?? []).length > 1;
          // It has other owners, which may live: its own turn decides.
          if (!hasOthers) await this.#delete(dependent, this.#dependentsOf(dependent.object.metadata.uid).length > 0);
        }
        return;
      default:
        unreachable(action);
    }
  }

  async #delete({ kind, object }: Found, foreground: boolean): Promise<void> {
    const { finalizers = [], resourceVersion } = object.metadata;
    if (foreground && !finalizers.includes(foregroundFinalizer)) {
      const metadata = { resourceVersion, finalizers: [...finalizers, foregroundFinalizer] };
      await this.#cluster.merge(kind, object, { metadata });
    }
    await deleteFound(this.#cluster, kind, object);
  }

  async #disown({ kind, object }: Found, owner: string): Promise<void> {
    const ownerReferences = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner);
    const { resourceVersion } = object.metadata;
    await this.#cluster.merge(kind, object, { metadata: { resourceVersion, ownerReferences } });
  }

  #find(kind: WatchedKind, name: string): ApiObject | undefined {
    const slash = name.indexOf("/");
    const namespace = slash < 0 ? undefined : name.slice(0, slash);
    return this.#cluster.of(kind).get(namespace, name.slice(slash + 1));
  }

  #dependentsOf(uid: string): readonly Found[] {
    return ownedKinds.flatMap((kind) =>
      this.#cluster
        .of(kind)
        .indexed("owner", uid)
        .map((object) => ({ kind, object })),
    );
  }

  #byUid(uid: string): Found | undefined {
    for (const kind of watchedKinds) {
      const object = this.#cluster.of(kind).byUid(uid);
      if (object !== undefined) return { kind, object };
    }
    return undefined;
  }

  /** Absence is asked for: what we see of one kind may be older than what we see of another. */
  async #ownerState(reference: OwnerReference, namespace: string | undefined): Promise<OwnerState> {
    const known = this.#byUid(reference.uid)?.object ?? (await this.#ask(reference, namespace));
    if (known === undefined) return "absent";
    const { deletionTimestamp, finalizers = [] } = known.metadata;
    return deletionTimestamp !== undefined && finalizers.includes(foregroundFinalizer) ? "waiting" : "present";
  }

  async #ask(
    { apiVersion, kind, name, uid }: OwnerReference,
    namespace: string | undefined,
  ): Promise<ApiObject | undefined> {
    const resource: Resource<ApiObject> | undefined = Object.values(watchedResources).find(
      (candidate) => candidate.kind === kind && apiVersionOf(candidate) === apiVersion,
    );
    // A kind that is not served here cannot be there. apiserver keeps such dependents, for its kinds come and go.
    if (resource === undefined) return unservedOwner;
    try {
      const found = await this.#cluster.client.get(resource, resource.namespaced ? namespace : undefined, name);
      return found.metadata.uid === uid ? found : undefined;
    } catch (error) {
      if (errorCode(error) === "NotFound") return undefined;
      throw error;
    }
  }
}

const unservedOwner: ApiObject = {
  apiVersion: "",
  kind: "",
  metadata: { name: "", uid: "", resourceVersion: "", generation: 0, creationTimestamp: "" },
};

const deleteFound = <Kind extends WatchedKind>(cluster: Cluster, kind: Kind, object: ApiObject): Promise<void> =>
  cluster.delete(kind, object as WatchedKinds[Kind]);
