import type { Condition, ContainerState, ContainerStatus, PodPhase, PodStatus } from "@shallop/sdk/api";
import { rfc3339, unreachable } from "@shallop/sdk/internal";
import type { EndedRun, PodState } from "./pod-state.ts";

/** Everything that a pod's status tells beside its state. */
export interface StatusSubject {
  readonly state: PodState;
  readonly containerName: string;
  /** As the spec names it. */
  readonly image: string;
  /** `registry/repository@sha256:…` of the variant that runs; empty while unknown. */
  readonly imageId: string;
  readonly hostIp: string;
  /** When this node took the pod. */
  readonly acceptedWallMs: number;
}

/**
 * `status` of the pod object: core/v1 PodStatus as the kubelet writes it. `previous` are the conditions that were
 * written last; a condition that did not change keeps its time.
 */
export function podStatus(subject: StatusSubject, previous: readonly Condition[], nowWallMs: number): PodStatus {
  const { state } = subject;
  const run = state.phase === "ready" || state.phase === "draining" ? state.run : undefined;
  return {
    phase: phaseOf(state),
    conditions: conditionsOf(state, previous, nowWallMs),
    hostIP: subject.hostIp,
    ...(run?.ip === undefined ? {} : { podIP: run.ip, podIPs: [{ ip: run.ip }] }),
    startTime: rfc3339(subject.acceptedWallMs),
    containerStatuses: [containerStatus(subject, run?.containerId)],
  };
}

/** core/v1 PodPhase: Running once a container has run, even while it waits for its restart. */
function phaseOf(state: PodState): PodPhase {
  switch (state.phase) {
    case "pending":
    case "pulling":
      return "Pending";
    case "starting":
    case "backoff":
      return state.past.lastRun === undefined ? "Pending" : "Running";
    case "ready":
    case "draining":
      return "Running";
    case "ended":
      return state.outcome === "Failed" ? "Failed" : "Succeeded";
    default:
      return unreachable(state);
  }
}

function containerStatus(subject: StatusSubject, containerId: string | undefined): ContainerStatus {
  const { state } = subject;
  const current = containerState(state);
  const last = state.phase === "ended" ? undefined : state.past.lastRun;
  return {
    name: subject.containerName,
    image: subject.image,
    imageID: subject.imageId,
    ...(containerId === undefined ? {} : { containerID: containerId }),
    ready: state.phase === "ready",
    started: "running" in current,
    restartCount: state.past.restartCount,
    state: current,
    ...(last === undefined ? {} : { lastState: terminated(last) }),
  };
}

function containerState(state: PodState): ContainerState {
  switch (state.phase) {
    case "pending":
    case "pulling":
    case "starting":
      return { waiting: { reason: "ContainerCreating" } };
    case "backoff":
      return { waiting: { reason: state.reason, message: state.message } };
    case "ready":
      return { running: { startedAt: rfc3339(state.run.startedWallMs) } };
    case "draining":
      return state.run === undefined
        ? { waiting: { reason: "ContainerCreating" } }
        : { running: { startedAt: rfc3339(state.run.startedWallMs) } };
    case "ended":
      return state.past.lastRun === undefined || state.outcome === "Stopped"
        ? { terminated: { exitCode: 0, reason: "Completed" } }
        : terminated(state.past.lastRun);
    default:
      return unreachable(state);
  }
}

const terminated = (run: EndedRun): ContainerState => ({
  terminated: {
    exitCode: run.exitCode,
    reason: run.reason,
    ...(run.message === "" ? {} : { message: run.message }),
    ...(run.startedWallMs === undefined ? {} : { startedAt: rfc3339(run.startedWallMs) }),
    finishedAt: rfc3339(run.finishedWallMs),
  },
});

function conditionsOf(state: PodState, previous: readonly Condition[], nowWallMs: number): Condition[] {
  const ready = state.phase === "ready";
  const why = ready ? undefined : notReady(state);
  const wanted: Condition[] = [
    { type: "PodScheduled", status: "True" },
    { type: "Initialized", status: "True" },
    { type: "ContainersReady", status: ready ? "True" : "False", ...why },
    { type: "Ready", status: ready ? "True" : "False", ...why },
  ];
  return wanted.map((condition) => {
    const before = previous.find((other) => other.type === condition.type && other.status === condition.status);
    return { ...condition, lastTransitionTime: before?.lastTransitionTime ?? rfc3339(nowWallMs) };
  });
}

function notReady(state: PodState): { readonly reason: string; readonly message?: string } {
  switch (state.phase) {
    case "backoff":
      return { reason: state.reason, message: state.message };
    case "draining":
      return { reason: "Draining", message: "finishes the requests that it has" };
    case "ended":
      return { reason: state.outcome === "Failed" ? "PodFailed" : "PodCompleted" };
    case "pending":
    case "pulling":
    case "starting":
    case "ready":
      return { reason: "ContainersNotReady" };
    default:
      return unreachable(state);
  }
}
