import { clusterDomain, type Route, type TrafficTarget } from "@shallop/sdk/api";
import { revisionKey } from "./target.ts";
import { TrafficSplit, type WeightedRevision } from "./split.ts";

/** What a host means: a Route of `NAMESPACE/NAME`, and where its requests go. */
export interface RouteHost {
  readonly route: string;
  readonly split: TrafficSplit;
}

/**
 * Hosts of Knative's Routes to traffic splits. A route is compiled when it changes; a request costs one lookup, two for a tag.
 * `NAME.NAMESPACE.DOMAIN` wins over a tag's `TAG-NAME.NAMESPACE.DOMAIN` that reads the same, and of two such tags the
 * one whose route comes first in the alphabet: a newcomer with a clever name takes no traffic away from a service.
 */
export class RouteTable {
  readonly #domain: string;
  readonly #routeByHost = new Map<string, RouteHost>();
  readonly #tagsByHost = new Map<string, readonly RouteHost[]>();
  readonly #tagHostsByRoute = new Map<string, readonly string[]>();
  readonly #splitByRoute = new Map<string, TrafficSplit>();

  /** `domain` is what follows the namespace: `localhost`. */
  constructor(domain: string) {
    this.#domain = domain.toLowerCase();
  }

  /** How many hosts are known. */
  get size(): number {
    return this.#splitByRoute.size + this.#tagsByHost.size;
  }

  /** `host` as `normalizeHost` gives it. */
  lookup(host: string): RouteHost | undefined {
    return this.#routeByHost.get(host) ?? this.#tagsByHost.get(host)?.[0];
  }

  /** Where the requests of a Route go: `NAMESPACE/NAME`. */
  split(route: string): TrafficSplit | undefined {
    return this.#splitByRoute.get(route);
  }

  set(route: Route): void {
    const { name, namespace = "" } = route.metadata;
    this.delete(namespace, name);
    const traffic = route.status?.traffic ?? [];
    const key = revisionKey(namespace, name);
    const split = new TrafficSplit(shares(namespace, traffic));
    for (const host of this.#hosts(name, namespace)) this.#routeByHost.set(host, { route: key, split });
    this.#splitByRoute.set(key, split);
    const tagHosts: string[] = [];
    for (const { tag, revisionName } of traffic) {
      if (tag === undefined || tag === "" || revisionName === undefined) continue;
      const host = this.#host(`${tag}-${name}`, namespace);
      const tagged = new TrafficSplit([{ revision: revisionKey(namespace, revisionName), percent: 100 }]);
      const entries = [...(this.#tagsByHost.get(host) ?? []), { route: key, split: tagged }];
      this.#tagsByHost.set(
        host,
        entries.sort((a, b) => (a.route < b.route ? -1 : 1)),
      );
      tagHosts.push(host);
    }
    this.#tagHostsByRoute.set(key, tagHosts);
  }

  delete(namespace: string, name: string): void {
    const key = revisionKey(namespace, name);
    for (const host of this.#hosts(name, namespace)) this.#routeByHost.delete(host);
    this.#splitByRoute.delete(key);
    for (const host of this.#tagHostsByRoute.get(key) ?? []) {
      const entries = (this.#tagsByHost.get(host) ?? []).filter(({ route }) => route !== key);
      if (entries.length === 0) this.#tagsByHost.delete(host);
      else this.#tagsByHost.set(host, entries);
    }
    this.#tagHostsByRoute.delete(key);
  }

  /** Those inside the cluster are Knative's too: what a pod writes that looks for the Service by its name. */
  #hosts(name: string, namespace: string): readonly string[] {
    const inside = `${name}.${namespace}`.toLowerCase();
    return [this.#host(name, namespace), inside, `${inside}.svc`, `${inside}.svc.${clusterDomain}`];
  }

  #host(label: string, namespace: string): string {
    return `${label}.${namespace}.${this.#domain}`.toLowerCase();
  }
}

/** A revision may be named by several targets (a tag and a share): its shares add up. */
function shares(namespace: string, traffic: readonly TrafficTarget[]): readonly WeightedRevision[] {
  const percentByRevision = new Map<string, number>();
  for (const { revisionName, percent = 0 } of traffic) {
    // The API admits whole numbers of 0 to 100; a share that is none would make a deck that is none.
    if (revisionName === undefined || !Number.isInteger(percent) || percent <= 0 || percent > 100) continue;
    const key = revisionKey(namespace, revisionName);
    percentByRevision.set(key, (percentByRevision.get(key) ?? 0) + percent);
  }
  return [...percentByRevision].map(([revision, percent]) => ({ revision, percent }));
}
