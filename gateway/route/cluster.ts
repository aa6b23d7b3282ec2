import {
  type ApiObject,
  type CoreService,
  type Node,
  type Pod,
  type Revision,
  type Secret,
  secretType,
} from "@shallop/sdk/api";
import type { BackendSource } from "./backends.ts";
import { Router, type RoutingKind, type RoutingObjects } from "./router.ts";
import { type ServiceObserver, ServicePods } from "./service-pods.ts";
import type { TrafficSplit } from "./split.ts";
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
export interface WatchedObjects extends RoutingObjects {
  readonly revisions: Revision;
  readonly pods: Pod;
  readonly nodes: Node;
  readonly coreServices: CoreService;
  readonly secrets: Secret;
}

export type WatchedKind = keyof WatchedObjects;

const routingKinds: readonly RoutingKind[] = [
  "namespaces",
  "gatewayClasses",
  "ingressClasses",
  "gateways",
  "referenceGrants",
  "trafficPolicies",
  "routes",
  "ingresses",
  "httpRoutes",
  "domainMappings",
];

export const watchedKinds: readonly WatchedKind[] = [
  "nodes",
  "revisions",
  "pods",
  "coreServices",
  "secrets",
  ...routingKinds,
];

/** Told of what changes, after the cluster's own maps are up to date. */
export interface ClusterObserver {
  revisionChanged(target: RevisionTarget): void;
  revisionGone(key: string): void;
  podChanged(pod: WatchedPod): void;
  podGone(pod: WatchedPod): void;
  /** Certificates may be others now: a secret, or what names secrets, has changed. */
  certificatesChanged(): void;
}

/** The kinds whose last known state is worth keeping over a restart of the gateway. */
export const keptKinds: readonly WatchedKind[] = watchedKinds.filter((kind) => kind !== "pods");

// What names secrets for TLS, or has them.
const certificateKinds: ReadonlySet<WatchedKind> = new Set<WatchedKind>([
  "secrets",
  "ingresses",
  "gateways",
  "domainMappings",
  "referenceGrants",
  "gatewayClasses",
]);

type Objects = { readonly [Kind in WatchedKind]: Map<string, WatchedObjects[Kind]> };

/** The last known state of the cluster, compiled object by object as it changes. Pure: no clock, no socket. */
export class Cluster implements BackendSource {
  /** What follows the namespace in host names. */
  readonly domain: string;
  readonly router: Router;
  /** Everything has been listed once: a host that is not known is nobody's. */
  complete = false;
  readonly #observer: ClusterObserver;
  readonly #revisions = new Map<string, RevisionTarget>();
  readonly #nodes = new Map<string, NodeTarget>();
  readonly #pods = new Map<string, WatchedPod>();
  readonly #services: ServicePods;
  readonly #challengeByToken = new Map<string, Secret>();
  readonly #objects: Objects = Object.fromEntries(watchedKinds.map((kind) => [kind, new Map()])) as unknown as Objects;

  constructor(domain: string, observer: ClusterObserver) {
    this.domain = domain;
    this.router = new Router(domain);
    this.#observer = observer;
    this.#services = new ServicePods(this.#serviceObserver());
  }

  /** Of a revision, or of the pods of a Service. */
  revision(key: string): RevisionTarget | undefined {
    return this.#revisions.get(key);
  }

  node(name: string): NodeTarget | undefined {
    return this.#nodes.get(name);
  }

  /** A node that runs on this machine. */
  nodeOf(machine: string): NodeTarget | undefined {
    for (const node of this.#nodes.values()) if (node.machine === machine) return node;
    return undefined;
  }

  split(route: string): TrafficSplit | undefined {
    return this.router.split(route);
  }

  service(key: string): string | undefined {
    return this.#services.target(key);
  }

  object<Kind extends WatchedKind>(kind: Kind, namespace: string, name: string): WatchedObjects[Kind] | undefined {
    return this.#objects[kind].get(revisionKey(namespace, name));
  }

  /** What an ACME authority is to be answered that asks this host for a token (RFC 8555, 8.3). */
  challenge(host: string, token: string): string | undefined {
    const data = this.#challengeByToken.get(token)?.data;
    return textOf(data?.["host"]) === host ? textOf(data?.["keyAuthorization"]) : undefined;
  }

  /** The objects of one kind as they were given. */
  objects<Kind extends WatchedKind>(kind: Kind): Iterable<WatchedObjects[Kind]> {
    return this.#objects[kind].values();
  }

  set<Kind extends WatchedKind>(kind: Kind, object: WatchedObjects[Kind]): void {
    this.#objects[kind].set(objectKey(object), object);
    if (isKind(kind, "nodes", object)) this.#nodes.set(object.metadata.name, compileNode(object));
    else if (isKind(kind, "revisions", object)) this.#setRevision(object);
    else if (isKind(kind, "pods", object)) this.#setPod(object);
    else if (isKind(kind, "coreServices", object)) this.#services.setService(object);
    else if (isKind(kind, "secrets", object) && object.type === secretType.acmeChallenge)
      this.#challengeByToken.set(textOf(object.data?.["token"]), object);
    else if (isRouting(kind)) this.router.set(kind, object as RoutingObjects[RoutingKind]);
    if (certificateKinds.has(kind)) this.#observer.certificatesChanged();
  }

  delete(kind: WatchedKind, object: ApiObject): void {
    const { name, namespace = "" } = object.metadata;
    const key = objectKey(object);
    const known = this.#objects[kind].get(key);
    if (known === undefined) return;
    this.#objects[kind].delete(key);
    if (kind === "nodes") this.#nodes.delete(name);
    else if (kind === "revisions") {
      this.#revisions.delete(key);
      this.#observer.revisionGone(key);
    } else if (kind === "pods") this.#deletePod(key);
    else if (kind === "coreServices") this.#services.deleteService(namespace, name);
    else if (kind === "secrets") this.#challengeByToken.delete(textOf((known as Secret).data?.["token"]));
    else if (isRouting(kind)) this.router.delete(kind, known as RoutingObjects[RoutingKind]);
    if (certificateKinds.has(kind)) this.#observer.certificatesChanged();
  }

  /** A complete list has come: of those that it is about, what it does not name is gone. */
  replace<Kind extends WatchedKind>(
    kind: Kind,
    objects: readonly WatchedObjects[Kind][],
    isAbout: (object: WatchedObjects[Kind]) => boolean = () => true,
  ): void {
    const named = new Set(objects.map(objectKey));
    for (const [key, object] of this.#objects[kind]) if (isAbout(object) && !named.has(key)) this.delete(kind, object);
    for (const object of objects) this.set(kind, object);
  }

  #serviceObserver(): ServiceObserver {
    return {
      serviceChanged: (target) => {
        this.#revisions.set(target.key, target);
        this.#observer.revisionChanged(target);
      },
      serviceGone: (key) => {
        this.#revisions.delete(key);
        this.#observer.revisionGone(key);
      },
      servicePodChanged: (key, pod) => this.#observer.podChanged({ ...pod, revision: key }),
      servicePodGone: (key, uid) => this.#observer.podGone({ ...goneSlot, uid, revision: key }),
    };
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
    if (before !== undefined && before.uid !== pod.uid) this.#deletePod(key);
    this.#pods.set(key, pod);
    if (pod.revision !== undefined) this.#observer.podChanged(pod);
    this.#services.setPod(pod);
  }

  #deletePod(key: string): void {
    const pod = this.#pods.get(key);
    if (pod === undefined) return;
    this.#pods.delete(key);
    if (pod.revision !== undefined) this.#observer.podGone(pod);
    this.#services.deletePod(pod);
  }
}

const textOf = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString("utf8");

const goneSlot = { namespace: "", labels: {}, target: undefined, ready: false, ending: true } as const;

const objectKey = ({ metadata }: ApiObject): string => revisionKey(metadata.namespace ?? "", metadata.name);

/** Ties the type of `object` to the kind that it came with. */
function isKind<Kind extends WatchedKind>(
  actual: WatchedKind,
  wanted: Kind,
  object: ApiObject,
): object is WatchedObjects[Kind] {
  return actual === wanted && object !== undefined;
}

const isRouting = (kind: WatchedKind): kind is RoutingKind => (routingKinds as readonly string[]).includes(kind);
