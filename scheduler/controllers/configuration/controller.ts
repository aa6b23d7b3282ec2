import type { Clock } from "@shallop/sdk/internal";
import type { Cluster } from "../shared/cluster.ts";
import { keyAt } from "../shared/mirror.ts";
import { same } from "../shared/same.ts";
import { planCollection } from "./collect.ts";
import { planConfiguration } from "./plan.ts";

// What is collected is days old.
const collectIntervalMs = 3_600_000;

/** Configuration → a Revision for each change of its template; old ones are collected. */
export class ConfigurationController {
  readonly #cluster: Cluster;
  readonly #clock: Clock;

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster;
    this.#clock = clock;
  }

  async reconcile(namespace: string, name: string): Promise<number | undefined> {
    const configuration = this.#cluster.of("configurations").get(namespace, name);
    if (configuration === undefined || configuration.metadata.deletionTimestamp !== undefined) return undefined;
    const revisions = this.#cluster.of("revisions").indexed("configuration", keyAt(namespace, name));
    const wallMs = this.#clock.wallMs();
    const { create, status } = planConfiguration({
      configuration,
      revisions,
      revision: (revision) => this.#cluster.of("revisions").get(namespace, revision),
      wallMs,
    });
    if (create !== undefined) await this.#cluster.create("revisions", create);
    if (!same(configuration.status, status)) {
      await this.#cluster.updateStatus("configurations", { ...configuration, status });
    }
    for (const revision of planCollection(configuration, revisions, wallMs)) {
      await this.#cluster.delete("revisions", revision);
    }
    return collectIntervalMs;
  }
}
