import { annotation, type ContainerState, type Pod } from "@shallop/sdk/api";
import type { PodCounts } from "../../autoscale/revision-scaler.ts";
import { isConditionTrue } from "../shared/conditions.ts";

/** What the control plane makes of a node: `lost` is one that has been away for so long that its pods are replaced. */
export type NodeState = "ready" | "away" | "lost";

/** A pod as its revision sees it. */
export type PodState =
  /** Stopped for good; makes room for another. */
  | "ended"
  | "deleting"
  /** Its node is gone, or as good as. It may still run there. */
  | "lost"
  | "ready"
  | "starting";

export function podState(pod: Pod, nodeState: (node: string) => NodeState): PodState {
  if (pod.metadata.deletionTimestamp !== undefined) return "deleting";
  if (pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded") return "ended";
  if (pod.spec.nodeName !== undefined && nodeState(pod.spec.nodeName) === "lost") return "lost";
  return isConditionTrue(pod, "Ready") ? "ready" : "starting";
}

/** The revision's pods as the autoscaler counts them. */
export function countPods(
  pods: readonly Pod[],
  stateOf: (pod: Pod) => PodState,
): Pick<PodCounts, "pods" | "ready" | "activation" | "activated"> {
  let present = 0;
  let activated = 0;
  let ready = 0;
  let activation: string | undefined;
  for (const pod of pods) {
    const state = stateOf(pod);
    if (state === "ready") ready++;
    if (state !== "ready" && state !== "starting") continue;
    present++;
    const mark = pod.metadata.annotations?.[annotation.activatedAt];
    if (mark === undefined) continue;
    activated++;
    if (activation === undefined || mark > activation) activation = mark;
  }
  return { pods: present, ready, activation, activated };
}

const crashReasons: ReadonlySet<string> = new Set(["CrashLoopBackOff", "CreateContainerError", "ImagePullBackOff"]);

/** Why a pod does not come up, when it has tried; undefined: nothing has gone wrong. */
export function crashOf({ status }: Pod): { readonly reason: string; readonly message: string } | undefined {
  for (const { state, lastState } of status?.containerStatuses ?? []) {
    if (!("waiting" in state) || !crashReasons.has(state.waiting.reason)) continue;
    const last = terminationOf(lastState);
    const message = [state.waiting.message, last].filter((text) => text !== undefined && text !== "").join("; ");
    return { reason: state.waiting.reason, message };
  }
  return undefined;
}

function terminationOf(state: ContainerState | undefined): string | undefined {
  if (state === undefined || !("terminated" in state)) return undefined;
  const { exitCode, reason, message } = state.terminated;
  return `the last run ended with exit code ${String(exitCode)} (${reason})${message === undefined ? "" : `: ${message}`}`;
}

/** Why a pod has ended, in a sentence. */
export function endingOf(pod: Pod): string {
  const { reason, message, containerStatuses = [] } = pod.status ?? {};
  const container = containerStatuses.map(({ state }) => terminationOf(state)).find((text) => text !== undefined);
  return (
    [reason, message, container].filter((text) => text !== undefined && text !== "").join(": ") || "no reason was given"
  );
}
