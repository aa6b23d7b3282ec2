import { type Clock, unreachable } from "@shallop/sdk/internal";
import type { Cluster } from "../shared/cluster.ts";
import { same } from "../shared/same.ts";
import { type ServiceAction, planService } from "./plan.ts";

/** Service → Configuration and Route of the same name; mirrors what they say. */
export class ServiceController {
  readonly #cluster: Cluster;
  readonly #clock: Clock;

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster;
    this.#clock = clock;
  }

  async reconcile(namespace: string, name: string): Promise<undefined> {
    const service = this.#cluster.of("services").get(namespace, name);
    if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
    const { actions, status } = planService({
      service,
      configuration: this.#cluster.of("configurations").get(namespace, name),
      route: this.#cluster.of("routes").get(namespace, name),
      wallMs: this.#clock.wallMs(),
    });
    for (const action of actions) await this.#execute(action);
    if (!same(service.status, status)) await this.#cluster.updateStatus("services", { ...service, status });
  }

  async #execute(action: ServiceAction): Promise<void> {
    switch (action.kind) {
      case "create-configuration":
        await this.#cluster.create("configurations", action.object);
        return;
      case "update-configuration":
        await this.#cluster.update("configurations", action.object);
        return;
      case "create-route":
        await this.#cluster.create("routes", action.object);
        return;
      case "update-route":
        await this.#cluster.update("routes", action.object);
        return;
      default:
        unreachable(action);
    }
  }
}
