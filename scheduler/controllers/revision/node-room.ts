import type { Pod } from "@shallop/sdk/api";
import { type Amounts, type Demand, demandOf, nothingTaken, plus } from "../../place/demand.ts";
import { type NodeView, nodeView, type PlacedPod, placedPod } from "../../place/node-view.ts";
import type { Cluster } from "../shared/cluster.ts";

interface Reservation {
  readonly demand: Demand;
  readonly pod?: PlacedPod;
}

/** What is free on each node: what its pods have taken, and what pods will take that are being written right now. */
export class NodeRoom {
  readonly #cluster: Cluster;
  readonly #reserved = new Map<string, Set<Reservation>>();
  // Objects are never changed, so what one takes is computed once.
  readonly #seen = new WeakMap<Pod, Required<Reservation>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  views(): readonly NodeView[] {
    return [...this.#cluster.of("nodes").items()].map((node) => {
      const { taken, pods } = this.#taken(node.metadata.name);
      return nodeView(node, taken, pods);
    });
  }

  /** Takes room for a pod that is about to be there. The returned function gives it back, once the pod can be seen. */
  reserve(node: string, demand: Demand, pod?: PlacedPod): () => void {
    // Two equal demands are two reservations.
    const own = { demand, ...(pod === undefined ? {} : { pod }) };
    const reserved = this.#reserved.get(node) ?? new Set<Reservation>();
    reserved.add(own);
    this.#reserved.set(node, reserved);
    return () => {
      reserved.delete(own);
      if (reserved.size === 0 && this.#reserved.get(node) === reserved) this.#reserved.delete(node);
    };
  }

  #taken(node: string): { readonly taken: Amounts; readonly pods: readonly PlacedPod[] } {
    let taken = nothingTaken;
    const pods: PlacedPod[] = [];
    const add = ({ demand, pod }: Reservation): void => {
      taken = plus(taken, demand);
      if (pod !== undefined) pods.push(pod);
    };
    for (const pod of this.#cluster.of("pods").indexed("node", node)) {
      const phase = pod.status?.phase;
      // What has ended has given its room back (kube-scheduler counts the same way).
      if (phase !== "Failed" && phase !== "Succeeded") add(this.#readingOf(pod));
    }
    for (const reservation of this.#reserved.get(node) ?? []) add(reservation);
    return { taken, pods };
  }

  #readingOf(pod: Pod): Required<Reservation> {
    let reading = this.#seen.get(pod);
    if (reading === undefined) {
      reading = { demand: demandOf(pod.spec), pod: placedPod(pod) };
      this.#seen.set(pod, reading);
    }
    return reading;
  }
}
