import type { Pod } from "@shallop/sdk/api";
import { type Amounts, type Demand, demandOf, nothingTaken, plus } from "../../place/demand.ts";
import { type NodeView, nodeView } from "../../place/node-view.ts";
import type { Cluster } from "../shared/cluster.ts";

/** What is free on each node: what its pods have taken, and what pods will take that are being written right now. */
export class NodeRoom {
  readonly #cluster: Cluster;
  readonly #reserved = new Map<string, Set<Demand>>();
  // Objects are never changed, so what one takes is computed once.
  readonly #demands = new WeakMap<Pod, Demand>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  views(): readonly NodeView[] {
    return [...this.#cluster.of("nodes").items()].map((node) => nodeView(node, this.#taken(node.metadata.name)));
  }

  /** Takes room for a pod that is about to be there. The returned function gives it back, once the pod can be seen. */
  reserve(node: string, demand: Demand): () => void {
    // Two equal demands are two reservations.
    const own = { ...demand };
    const reserved = this.#reserved.get(node) ?? new Set<Demand>();
    reserved.add(own);
    this.#reserved.set(node, reserved);
    return () => {
      reserved.delete(own);
      if (reserved.size === 0 && this.#reserved.get(node) === reserved) this.#reserved.delete(node);
    };
  }

  #taken(node: string): Amounts {
    let taken = nothingTaken;
    for (const pod of this.#cluster.of("pods").indexed("node", node)) {
      const phase = pod.status?.phase;
      // What has ended has given its room back (kube-scheduler counts the same way).
      if (phase !== "Failed" && phase !== "Succeeded") taken = plus(taken, this.#demandOf(pod));
    }
    for (const demand of this.#reserved.get(node) ?? []) taken = plus(taken, demand);
    return taken;
  }

  #demandOf(pod: Pod): Demand {
    let demand = this.#demands.get(pod);
    if (demand === undefined) {
      demand = demandOf(pod.spec);
      this.#demands.set(pod, demand);
    }
    return demand;
  }
}
