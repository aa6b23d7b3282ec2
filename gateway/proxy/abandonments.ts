import type { Clock } from "@shallop/sdk/internal";
import type { NodeTarget, PodTarget } from "../route/target.ts";

export interface AbandonmentsOptions {
  readonly clock: Clock;
  readonly node: (name: string) => NodeTarget | undefined;
  /** Tells the agent of a pod's node. */
  readonly tell: (node: NodeTarget, podUid: string, requestIds: readonly string[]) => void;
}

// A pod that turns its event loop has heard of a cancelled request long before. Who leaves meanwhile is told of together.
const gatherMs = 500;
// More than run at once in a pod; what is beyond is told of by those that leave after it.
const requestsMax = 500;

/**
 * Requests whose clients have gone. The pod is told on its connection, which a guest that spins never lets it read: so its
 * node is told as well, and ends a guest that is still at work for one of them.
 */
export class Abandonments {
  readonly #options: AbandonmentsOptions;
  readonly #idsByPod = new Map<string, string[]>();

  constructor(options: AbandonmentsOptions) {
    this.#options = options;
  }

  add(pod: PodTarget, requestId: string): void {
    // Only a Wasm pod has a thread that one guest can keep from the others.
    if (pod.endpoint.protocol !== "wire") return;
    const gathered = this.#idsByPod.get(pod.uid);
    if (gathered !== undefined) {
      if (gathered.length < requestsMax) gathered.push(requestId);
      return;
    }
    const ids = [requestId];
    this.#idsByPod.set(pod.uid, ids);
    this.#options.clock.after(gatherMs, () => {
      this.#idsByPod.delete(pod.uid);
      const node = this.#options.node(pod.node);
      if (node !== undefined) this.#options.tell(node, pod.uid, ids);
    });
  }
}
