import type { Node, Pod, Taint, Toleration } from "@shallop/sdk/api";
import { tolerates } from "../../place/requirements.ts";

export interface TaintPlan {
  /** Pods that the node's taints drive out now, each with what to say of it. */
  readonly evict: readonly { readonly pod: Pod; readonly why: string }[];
  /** Since when each pod tolerates for a time only: by uid, monotonic milliseconds. */
  readonly sinceMs: ReadonlyMap<string, number>;
}

/**
 * What the `NoExecute` taints of a node do to its pods: those that tolerate them not go at once, those that tolerate them
 * for `tolerationSeconds` after that (kubernetes/pkg/controller/tainteviction). The time counts from when it was first
 * seen: who writes a taint need not say when. Pure.
 */
export function planTaints(
  node: Node,
  pods: readonly Pod[],
  before: ReadonlyMap<string, number>,
  nowMs: number,
): TaintPlan {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");
  const sinceMs = new Map<string, number>();
  const evict: { pod: Pod; why: string }[] = [];
  if (taints.length === 0) return { evict, sinceMs };
  for (const pod of pods) {
    const { uid, deletionTimestamp } = pod.metadata;
    if (deletionTimestamp !== undefined || pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed")
      continue;
    const toleratedMs = toleratedFor(taints, pod.spec.tolerations ?? []);
    if (toleratedMs === Infinity) continue;
    const since = before.get(uid) ?? nowMs;
    sinceMs.set(uid, since);
    if (nowMs - since < toleratedMs) continue;
    const texts = taints.map(({ key, value = "" }) => (value === "" ? key : `${key}=${value}`)).join(", ");
    evict.push({ pod, why: `node ${node.metadata.name} has the taint ${texts}:NoExecute` });
  }
  return { evict, sinceMs };
}

/** The shortest of the tolerations that are needed; Infinity when none of them ends. */
function toleratedFor(taints: readonly Taint[], tolerations: readonly Toleration[]): number {
  let ms = Infinity;
  for (const taint of taints) {
    const fitting = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (fitting.length === 0) return 0;
    for (const { tolerationSeconds } of fitting) {
      if (tolerationSeconds !== undefined) ms = Math.min(ms, Math.max(0, tolerationSeconds * 1000));
    }
  }
  return ms;
}
