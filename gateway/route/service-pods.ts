import type { CoreService } from "@shallop/sdk/api";
import type { RevisionTarget, WatchedPod } from "./target.ts";

// As with revisions that say nothing: config-defaults' revision-timeout-seconds.
const timeoutMs = 300_000;
// Pods of a Service are made by somebody else: who has none soon will not have one because somebody waits.
const waitMs = 5_000;

/** Told of what changes: the pods of a Service are dispatched to as those of a revision are. */
export interface ServiceObserver {
  serviceChanged(target: RevisionTarget): void;
  serviceGone(key: string): void;
  servicePodChanged(key: string, pod: WatchedPod): void;
  servicePodGone(key: string, uid: string): void;
}

interface Known {
  readonly service: CoreService;
  readonly target: RevisionTarget;
  /** Uids. */
  readonly pods: Set<string>;
}

/** Key of a dispatcher for the pods of a Service; no revision has such a name. */
const serviceKey = (namespace: string, name: string): string => `${namespace}/service:${name}`;

/**
 * Which pods the Services of core/v1 select. A pod has one port, which its node names: the ports of a Service are names
 * that others refer to it by.
 */
export class ServicePods {
  readonly #observer: ServiceObserver;
  readonly #servicesByNamespace = new Map<string, Map<string, Known>>();
  readonly #podsByNamespace = new Map<string, Map<string, WatchedPod>>();

  constructor(observer: ServiceObserver) {
    this.#observer = observer;
  }

  /** Key of the dispatcher of `NAMESPACE/NAME`; undefined when there is no such Service. */
  target(key: string): string | undefined {
    const slash = key.indexOf("/");
    return this.#servicesByNamespace.get(key.slice(0, slash))?.get(key.slice(slash + 1))?.target.key;
  }

  setService(service: CoreService): void {
    const { namespace = "", name } = service.metadata;
    const services = mapAt(this.#servicesByNamespace, namespace);
    const before = services.get(name);
    const known: Known = { service, target: compile(service), pods: before?.pods ?? new Set() };
    services.set(name, known);
    if (before === undefined) this.#observer.serviceChanged(known.target);
    for (const pod of this.#podsByNamespace.get(namespace)?.values() ?? []) this.#offer(known, pod);
  }

  deleteService(namespace: string, name: string): void {
    const known = this.#servicesByNamespace.get(namespace)?.get(name);
    if (known === undefined) return;
    this.#servicesByNamespace.get(namespace)?.delete(name);
    this.#observer.serviceGone(known.target.key);
  }

  setPod(pod: WatchedPod): void {
    mapAt(this.#podsByNamespace, pod.namespace).set(pod.uid, pod);
    for (const known of this.#servicesByNamespace.get(pod.namespace)?.values() ?? []) this.#offer(known, pod);
  }

  deletePod({ namespace, uid }: WatchedPod): void {
    this.#podsByNamespace.get(namespace)?.delete(uid);
    for (const known of this.#servicesByNamespace.get(namespace)?.values() ?? []) this.#remove(known, uid);
  }

  #offer(known: Known, pod: WatchedPod): void {
    if (!isSelected(known.service, pod.labels)) return this.#remove(known, pod.uid);
    known.pods.add(pod.uid);
    const ready = pod.ready || known.service.spec?.publishNotReadyAddresses === true;
    this.#observer.servicePodChanged(known.target.key, { ...pod, ready });
  }

  #remove(known: Known, uid: string): void {
    if (known.pods.delete(uid)) this.#observer.servicePodGone(known.target.key, uid);
  }
}

function compile({ metadata, spec }: CoreService): RevisionTarget {
  const { namespace = "", name } = metadata;
  const isHttp2 = spec?.ports?.some(
    ({ name: port, appProtocol }) => port === "h2c" || port === "http2" || appProtocol === "kubernetes.io/h2c",
  );
  return {
    key: serviceKey(namespace, name),
    namespace,
    name: `service:${name}`,
    service: serviceKey(namespace, name),
    webSocket: {},
    concurrencyMax: 0,
    timeoutMs,
    responseStartTimeoutMs: timeoutMs,
    idleTimeoutMs: 0,
    isHttp2: isHttp2 === true,
    homes: [],
    hold: { sheds: "newest", waitMs },
    balance: {},
  };
}

/** A Service without a selector, or one that stands for a name outside, chooses no pods. */
function isSelected({ spec }: CoreService, labels: Readonly<Record<string, string>>): boolean {
  const selector = Object.entries(spec?.selector ?? {});
  return (
    selector.length > 0 && spec?.type !== "ExternalName" && selector.every(([name, value]) => labels[name] === value)
  );
}

function mapAt<T>(maps: Map<string, Map<string, T>>, key: string): Map<string, T> {
  let map = maps.get(key);
  if (map === undefined) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
}
