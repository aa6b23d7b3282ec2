import type { ApiObject, Node, Pod, Revision, Route } from "@shallop/sdk/api";
import { RouteTable } from "./table.ts";
import {
  compileNode,
  compilePod,
  compileRevision,
  type NodeTarget,
  type RevisionTarget,
  revisionKey,
  type WatchedPod,
} from "./target.ts";

/** What the gateway watches. */
export interface WatchedObjects {
  readonly routes: Route;
  readonly revisions: Revision;
  readonly pods: Pod;
  readonly nodes: Node;
}

export type WatchedKind = keyof WatchedObjects;
export const watchedKinds: readonly WatchedKind[] = ["nodes", "revisions", "pods", "routes"];

/** Told of what changes, after the cluster's own maps are up to date. */
export interface ClusterObserver {
  revisionChanged(target: RevisionTarget): void;
  revisionGone(key: string): void;
  podChanged(pod: WatchedPod): void;
  podGone(pod: WatchedPod): void;
}

/** The kinds whose last known state is worth keeping over a restart of the gateway. */
export const keptKinds = ["nodes", "revisions", "routes"] as const satisfies readonly WatchedKind[];

/** The last known state of the cluster, compiled object by object as it changes. Pure: no clock, no socket. */
export class Cluster {
  readonly routes: RouteTable;
  /** Everything has been listed once: a host that is not known is nobody's. */
  complete = false;
  readonly #observer: ClusterObserver;
  readonly #revisions = new Map<string, RevisionTarget>();
  readonly #nodes = new Map<string, NodeTarget>();
  readonly #pods = new Map<string, WatchedPod>();
  readonly #objects: { readonly [Kind in WatchedKind]: Map<string, WatchedObjects[Kind]> } = {
    routes: new Map(),
    revisions: new Map(),
    pods: new Map(),
    nodes: new Map(),
  };

  constructor(domain: string, observer: ClusterObserver) {
    this.routes = new RouteTable(domain);
    this.#observer = observer;
  }

  revision(key: string): RevisionTarget | undefined {
    return this.#revisions.get(key);
  }

  node(name: string): NodeTarget | undefined {
    return this.#nodes.get(name);
  }

  /** The objects of one kind as they were given; for a snapshot. */
  objects<Kind extends WatchedKind>(kind: Kind): Iterable<WatchedObjects[Kind]> {
    return this.#objects[kind].values();
  }

  set<Kind extends WatchedKind>(kind: Kind, object: WatchedObjects[Kind]): void {
    this.#objects[kind].set(objectKey(object), object);
    if (isKind(kind, "routes", object)) this.routes.set(object);
    else if (isKind(kind, "nodes", object)) this.#nodes.set(object.metadata.name, compileNode(object));
    else if (isKind(kind, "revisions", object)) this.#setRevision(object);
    else if (isKind(kind, "pods", object)) this.#setPod(object);
  }

  delete(kind: WatchedKind, object: ApiObject): void {
    const { name, namespace = "" } = object.metadata;
    const key = objectKey(object);
    if (!this.#objects[kind].delete(key)) return;
    if (kind === "routes") this.routes.delete(namespace, name);
    else if (kind === "nodes") this.#nodes.delete(name);
    else if (kind === "revisions") {
      this.#revisions.delete(key);
      this.#observer.revisionGone(key);
    } else this.#deletePod(key);
  }

  /** A complete list has come: what it does not name is gone. */
  replace<Kind extends WatchedKind>(kind: Kind, objects: readonly WatchedObjects[Kind][]): void {
    const named = new Set(objects.map(objectKey));
    for (const [key, object] of this.#objects[kind]) if (!named.has(key)) this.delete(kind, object);
    for (const object of objects) this.set(kind, object);
  }

  #setRevision(revision: Revision): void {
    const target = compileRevision(revision);
    this.#revisions.set(target.key, target);
    this.#observer.revisionChanged(target);
  }

  #setPod(object: Pod): void {
    const key = objectKey(object);
    const pod = compilePod(object);
    const before = this.#pods.get(key);
    // A pod of the same name that was made again is another pod.
    if (before !== undefined && before.uid !== pod?.uid) this.#deletePod(key);
    if (pod === undefined) return;
    this.#pods.set(key, pod);
    this.#observer.podChanged(pod);
  }

  #deletePod(key: string): void {
    const pod = this.#pods.get(key);
    if (pod === undefined) return;
    this.#pods.delete(key);
    this.#observer.podGone(pod);
  }
}

const objectKey = ({ metadata }: ApiObject): string => revisionKey(metadata.namespace ?? "", metadata.name);

/** Ties the type of `object` to the kind that it came with. */
function isKind<Kind extends WatchedKind>(
  actual: WatchedKind,
  wanted: Kind,
  object: ApiObject,
): object is WatchedObjects[Kind] {
  return actual === wanted && object !== undefined;
}
