import type { Route } from "@shallop/sdk/api";
import type { Clock } from "@shallop/sdk/internal";
import type { Addresses } from "../shared/addresses.ts";
import type { Cluster } from "../shared/cluster.ts";
import { same } from "../shared/same.ts";
import { planRoute, planRoutingState } from "./plan.ts";

/** Route → the revisions that get its requests, in its status, where the gateway reads them. */
export class RouteController {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #addresses: Addresses;

  constructor(cluster: Cluster, clock: Clock, addresses: Addresses) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#addresses = addresses;
  }

  async reconcile(namespace: string, name: string): Promise<undefined> {
    const route = this.#cluster.of("routes").get(namespace, name);
    if (route === undefined || route.metadata.deletionTimestamp !== undefined) return;
    const status = planRoute({
      route,
      addresses: this.#addresses,
      wallMs: this.#clock.wallMs(),
      configuration: (configuration) => this.#cluster.of("configurations").get(namespace, configuration),
      revision: (revision) => this.#cluster.of("revisions").get(namespace, revision),
    });
    if (!same(route.status, status)) await this.#cluster.updateStatus("routes", { ...route, status });
  }

  /** Keeps the labels of one revision that say which routes name it. */
  async label(namespace: string, name: string): Promise<undefined> {
    const revision = this.#cluster.of("revisions").get(namespace, name);
    if (revision === undefined || revision.metadata.deletionTimestamp !== undefined) return;
    const metadata = planRoutingState(revision, this.#routesIn(namespace), this.#clock.wallMs());
    if (metadata !== undefined) await this.#cluster.merge("revisions", revision, { metadata });
  }

  #routesIn(namespace: string): readonly Route[] {
    return this.#cluster.of("routes").indexed("namespace", namespace);
  }
}
