import { annotation, type Pod, variantWishOf, wishedVariant } from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import { type Clock, rfc3339 } from "@shallop/sdk/internal";
import { placePod } from "../../place/bind.ts";
import { demandOf } from "../../place/demand.ts";
import type { Workload } from "../../place/filter.ts";
import { placedPod } from "../../place/node-view.ts";
import type { NodeRoom } from "../revision/node-room.ts";
import type { BindTimes } from "../shared/bind-times.ts";
import type { Cluster } from "../shared/cluster.ts";
import { keyOf } from "../shared/mirror.ts";

export interface PodControllerOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly events: EventRecorder;
  readonly room: NodeRoom;
  readonly times: BindTimes;
}

/** Where nothing fits now, room may come without a change that we see. */
const unplaceableRetryMs = 5_000;
/** kube-scheduler's name; pods that want another one are left to it. */
const schedulerName = "default-scheduler";

/** Binds pods that somebody made by hand, or another controller, to a node. Those of revisions are bound when made. */
export class PodController {
  readonly #options: PodControllerOptions;

  constructor(options: PodControllerOptions) {
    this.#options = options;
  }

  async reconcile(namespace: string, name: string): Promise<number | undefined> {
    const { cluster, events, room, times } = this.#options;
    const pod = cluster.of("pods").get(namespace, name);
    if (pod === undefined || !waitsForNode(pod)) return undefined;
    const over = times.attempt();
    const workload = workloadOf(pod);
    const placement = placePod(workload, room.views(), new Map());
    if (placement.kind === "unplaceable") {
      over("unschedulable");
      await this.#sayUnplaceable(pod, placement.sentence);
      return unplaceableRetryMs;
    }
    const { node, sentence } = placement;
    const release = room.reserve(node, workload.demand, workload.pod);
    try {
      const { metadata, spec } = pod;
      const annotations = { ...metadata.annotations, [annotation.placementReason]: sentence };
      await cluster.update("pods", {
        ...pod,
        metadata: { ...metadata, annotations },
        spec: { ...spec, nodeName: node },
      });
      over("scheduled");
      times.bound(metadata.creationTimestamp);
      events.event(
        referenceTo(pod),
        "Normal",
        "Scheduled",
        `Successfully assigned ${keyOf(pod)} to ${node}: ${sentence}`,
      );
    } catch (error) {
      over("error");
      throw error;
    } finally {
      release();
    }
    return undefined;
  }

  /** Once for each reason: the next look mostly finds the same. */
  async #sayUnplaceable(pod: Pod, message: string): Promise<void> {
    const { cluster, clock, events } = this.#options;
    const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
    const known = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
    if (known?.message === message) return;
    const scheduled = {
      type: "PodScheduled",
      status: "False" as const,
      reason: "Unschedulable",
      message,
      lastTransitionTime: known?.lastTransitionTime ?? rfc3339(clock.wallMs()),
    };
    const status = { phase: "Pending" as const, ...pod.status, conditions: [...others, scheduled] };
    await cluster.updateStatus("pods", { ...pod, status });
    events.event(referenceTo(pod), "Warning", "FailedScheduling", message);
  }
}

const waitsForNode = ({ metadata, spec }: Pod): boolean =>
  spec.nodeName === undefined &&
  metadata.deletionTimestamp === undefined &&
  (spec.schedulerName ?? schedulerName) === schedulerName;

function workloadOf(pod: Pod): Workload {
  const wish = wishedVariant(variantWishOf(pod.metadata.annotations)) ?? "any";
  return {
    revision: keyOf(pod),
    demand: demandOf(pod.spec),
    wish,
    prepared: new Set(),
    preparing: new Set(),
    unusable: new Map(),
    pod: placedPod(pod),
  };
}
