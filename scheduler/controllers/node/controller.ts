import type { Condition, Node, Pod } from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import { type Clock, type Log, rfc3339, unreachable } from "@shallop/sdk/internal";
import type { NodeState } from "../revision/pods.ts";
import type { Cluster } from "../shared/cluster.ts";
import { keyOf } from "../shared/mirror.ts";
import { planTaints } from "./taints.ts";
import { type NodePatience, type NodeWatch, planNode, planPodsOfNode, type PodOnNodeAction } from "./plan.ts";

export interface NodeControllerOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  readonly patience: NodePatience;
  /** A node is not what it was: whoever places by it shall look again. */
  readonly onStateChange: (node: string) => void;
}

/** A look at all nodes that comes this late says that this process was stopped, not that all nodes were. */
const stallMs = 8_000;

/** Watches over nodes: who is silent is not ready, and after a while its pods are somebody else's. */
export class NodeController {
  readonly #options: NodeControllerOptions;
  readonly #watches = new Map<string, NodeWatch>();
  readonly #states = new Map<string, NodeState>();
  #toleratingSinceMs = new Map<string, number>();
  #lastLookMs: number | undefined;

  constructor(options: NodeControllerOptions) {
    this.#options = options;
  }

  /** What is thought of a node. One that does not exist is lost. */
  stateOf(node: string): NodeState {
    return this.#states.get(node) ?? "lost";
  }

  /** One look at every node and its pods. To be repeated each second. */
  async look(): Promise<void> {
    const { cluster, clock, patience } = this.#options;
    const nowMs = clock.nowMs();
    const stalled = this.#lastLookMs !== undefined && nowMs - this.#lastLookMs > stallMs;
    this.#lastLookMs = nowMs;
    const nodes = [...cluster.of("nodes").items()];
    const work: (() => Promise<void>)[] = [];
    for (const node of nodes) {
      const { name } = node.metadata;
      const before = this.#watches.get(name);
      const watch = stalled && before !== undefined ? { ...before, seenMs: nowMs } : before;
      const plan = planNode(watch, node, { nowMs, patience });
      this.#watches.set(name, plan.watch);
      this.#setState(name, plan.state);
      if (plan.becomesUnknown) work.push(() => this.#markUnknown(node));
    }
    const present = new Set(nodes.map(({ metadata }) => metadata.name));
    for (const name of this.#states.keys()) {
      if (present.has(name)) continue;
      this.#watches.delete(name);
      this.#states.delete(name);
      this.#options.onStateChange(name);
    }
    work.push(...this.#podWork(present), ...this.#taintWork(nodes, nowMs));
    // One node that cannot be written must not keep the others from being looked at.
    const results = await Promise.allSettled(work.map((run) => run()));
    const failure = results.find((result) => result.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  }

  /** A node has come or changed: what it says counts at once. */
  learn(node: Node): void {
    const { clock, patience } = this.#options;
    const plan = planNode(this.#watches.get(node.metadata.name), node, { nowMs: clock.nowMs(), patience });
    this.#watches.set(node.metadata.name, plan.watch);
    this.#setState(node.metadata.name, plan.state);
  }

  #setState(name: string, state: NodeState): void {
    if (this.#states.get(name) === state) return;
    this.#states.set(name, state);
    this.#options.onStateChange(name);
  }

  #podWork(present: ReadonlySet<string>): (() => Promise<void>)[] {
    const { cluster, clock } = this.#options;
    const podsByNode = new Map<string, Pod[]>();
    for (const pod of cluster.of("pods").items()) {
      const node = pod.spec.nodeName;
      if (node === undefined || this.#states.get(node) === "ready") continue;
      const pods = podsByNode.get(node) ?? [];
      pods.push(pod);
      podsByNode.set(node, pods);
    }
    return [...podsByNode].flatMap(([node, pods]) => {
      const state = present.has(node) ? this.stateOf(node) : undefined;
      return planPodsOfNode(node, state, pods, clock.wallMs()).map((action) => () => this.#execute(node, action));
    });
  }

  /** What taints of the kind `NoExecute` drive out. */
  #taintWork(nodes: readonly Node[], nowMs: number): (() => Promise<void>)[] {
    const { cluster, events } = this.#options;
    const tainted = nodes.filter(({ spec }) => spec?.taints?.some(({ effect }) => effect === "NoExecute"));
    const since = this.#toleratingSinceMs;
    this.#toleratingSinceMs = new Map();
    if (tainted.length === 0) return [];
    const podsByNode = Map.groupBy(cluster.of("pods").items(), ({ spec }) => spec.nodeName);
    return tainted.flatMap((node) => {
      const { evict, sinceMs } = planTaints(node, podsByNode.get(node.metadata.name) ?? [], since, nowMs);
      for (const [uid, ms] of sinceMs) this.#toleratingSinceMs.set(uid, ms);
      return evict.map(({ pod, why }) => async () => {
        events.event(referenceTo(pod), "Normal", "TaintManagerEviction", `the pod is stopped: ${why}`);
        await cluster.delete("pods", pod);
      });
    });
  }

  async #markUnknown(node: Node): Promise<void> {
    const { cluster, clock, events } = this.#options;
    const message = "the node agent stopped posting the node's status";
    const conditions = (node.status?.conditions ?? []).map((condition) =>
      condition.type === "Ready"
        ? {
            ...condition,
            status: "Unknown" as const,
            reason: "NodeStatusUnknown",
            message,
            lastTransitionTime: rfc3339(clock.wallMs()),
          }
        : condition,
    );
    await cluster.updateStatus("nodes", { ...node, status: { ...node.status, conditions } });
    events.event(referenceTo(node), "Warning", "NodeNotReady", `node ${node.metadata.name} is not ready: ${message}`);
  }

  async #execute(node: string, action: PodOnNodeAction): Promise<void> {
    const { cluster, events, log } = this.#options;
    const { pod } = action;
    switch (action.kind) {
      case "mark-not-ready": {
        const message = `node ${node} is not ready`;
        await cluster.updateStatus("pods", { ...pod, status: this.#notReady(pod, message) });
        events.event(referenceTo(pod), "Warning", "NodeNotReady", message);
        return;
      }
      case "force-delete":
        log.info("a pod is removed whose node does not answer", { pod: keyOf(pod), node, why: action.why });
        await cluster.delete("pods", pod, 0);
        return;
      default:
        unreachable(action);
    }
  }

  #notReady(pod: Pod, message: string): NonNullable<Pod["status"]> {
    const lastTransitionTime = rfc3339(this.#options.clock.wallMs());
    const conditions = (pod.status?.conditions ?? []).map((condition): Condition =>
      condition.type === "Ready" || condition.type === "ContainersReady"
        ? { ...condition, status: "False", reason: "NodeNotReady", message, lastTransitionTime }
        : condition,
    );
    return { ...pod.status, phase: pod.status?.phase ?? "Unknown", conditions };
  }
}
