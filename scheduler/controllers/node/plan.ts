import type { Node, Pod } from "@shallop/sdk/api";
import { conditionOf } from "../shared/conditions.ts";
import type { NodeState } from "../revision/pods.ts";

/** How long a node that says nothing is waited for. */
export interface NodePatience {
  /** Then it is not ready. */
  readonly silentMsMax: number;
  /** After that, others are started in the place of its pods; the old ones are kept until the new serve. */
  readonly replaceAfterMs: number;
}

/**
 * Agents write each 5 s; two lost writes are no reason, three are (kube-controller-manager waits 40 s for each 10 s). Kubernetes
 * waits 300 s for the pods because its pods cost seconds to move; ours cost milliseconds.
 */
export const usualPatience: NodePatience = { silentMsMax: 15_000, replaceAfterMs: 10_000 };

/** A pod on its way out whose node is lost is taken out of the API after this; its node will stop it when it is back. */
export const forceDeleteAfterMs = 300_000;

/** What is remembered of a node, in monotonic milliseconds. */
export interface NodeWatch {
  /** The heartbeat that was seen last, and when. */
  readonly heartbeat: string;
  readonly seenMs: number;
  /** Since when it is not ready; undefined: it is. */
  readonly awaySinceMs: number | undefined;
}

export interface NodePlan {
  readonly watch: NodeWatch;
  readonly state: NodeState;
  /** It has been silent for too long: its condition Ready becomes Unknown. */
  readonly becomesUnknown: boolean;
}

/** What a look at a node says of it. Heartbeat times are only compared, never read: a node's wall clock may be wrong. */
export function planNode(
  before: NodeWatch | undefined,
  node: Node,
  { nowMs, patience }: { readonly nowMs: number; readonly patience: NodePatience },
): NodePlan {
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  const heartbeat = `${ready?.lastHeartbeatTime ?? ""} ${ready?.status ?? ""}`;
  const seenMs = before?.heartbeat === heartbeat ? before.seenMs : nowMs;
  const isTrue = ready?.status === "True";
  const becomesUnknown = isTrue && nowMs - seenMs >= patience.silentMsMax;
  const isAway = !isTrue || becomesUnknown;
  const awaySinceMs = isAway ? (before?.awaySinceMs ?? nowMs) : undefined;
  const isLost = awaySinceMs !== undefined && nowMs - awaySinceMs >= patience.replaceAfterMs;
  const state = awaySinceMs === undefined ? "ready" : isLost ? "lost" : "away";
  return { watch: { heartbeat, seenMs, awaySinceMs }, state, becomesUnknown };
}

export type PodOnNodeAction =
  /** Nobody knows any more whether it answers. */
  | { readonly kind: "mark-not-ready"; readonly pod: Pod }
  /** Taken out of the API: nobody is there who could say that it has stopped. */
  | { readonly kind: "force-delete"; readonly pod: Pod; readonly why: string };

/** What becomes of the pods of a node that is not ready; `state` undefined: there is no such Node any more. */
export function planPodsOfNode(
  node: string,
  state: NodeState | undefined,
  pods: readonly Pod[],
  wallMs: number,
): readonly PodOnNodeAction[] {
  if (state === "ready") return [];
  return pods.flatMap((pod): PodOnNodeAction[] => {
    if (state === undefined) return [{ kind: "force-delete", pod, why: `node ${node} was removed` }];
    const { deletionTimestamp } = pod.metadata;
    const isOverdue = deletionTimestamp !== undefined && Date.parse(deletionTimestamp) + forceDeleteAfterMs < wallMs;
    if (state === "lost" && isOverdue) {
      return [{ kind: "force-delete", pod, why: `it was to stop, and node ${node} has not answered since` }];
    }
    return conditionOf(pod, "Ready")?.status === "True" ? [{ kind: "mark-not-ready", pod }] : [];
  });
}
