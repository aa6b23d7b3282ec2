import type { Condition, ContainerState, ContainerStatus, PodPhase, PodStatus } from "@shallop/sdk/api";
import { rfc3339, unreachable } from "@shallop/sdk/internal";
import type { ContainerView } from "./containers/container-view.ts";
import type { EndedRun, PodState } from "./pod-state.ts";

/** Everything that a pod's status tells beside its state. */
export interface StatusSubject {
  readonly state: PodState;
  readonly containerName: string;
  /** As the spec names it. */
  readonly image: string;
  /** `registry/repository@sha256:…` of the variant that runs; empty while unknown. */
  readonly imageId: string;
  /** Its containers one by one, when it has several; and their images, as the spec names them. */
  readonly containers?: readonly ContainerView[];
  readonly containerImages?: ReadonlyMap<string, string>;
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
  const views = subject.containers ?? [];
  if (views.length > 0) return severalStatus(subject, views, previous, nowWallMs);
  return {
    phase: phaseOf(state),
    ...(state.phase === "ended" ? podReason(state.past.lastRun) : {}),
    conditions: stamped(conditionsOf(state), previous, nowWallMs),
    hostIP: subject.hostIp,
    ...(run?.ip === undefined ? {} : { podIP: run.ip, podIPs: [{ ip: run.ip }] }),
    startTime: rfc3339(subject.acceptedWallMs),
    containerStatuses: [containerStatus(subject, run?.containerId)],
  };
}

/** Of a pod whose containers have a life each. */
function severalStatus(
  subject: StatusSubject,
  views: readonly ContainerView[],
  previous: readonly Condition[],
  nowWallMs: number,
): PodStatus {
  const { state } = subject;
  const run = state.phase === "ready" || state.phase === "draining" ? state.run : undefined;
  const statuses = (isInit: boolean): ContainerStatus[] =>
    views
      .filter(({ kind }) => (kind !== "main") === isInit)
      .map((view) => viewStatus(view, subject.containerImages?.get(view.name) ?? ""));
  const [inits, mains] = [statuses(true), statuses(false)];
  const isInitialized = views.every(({ kind, started, ready }) => kind === "main" || ready || started);
  const why = state.phase === "ended" ? notReady(state) : undefined;
  const isReady = state.phase === "ready" && views.every((view) => view.kind === "init" || view.ready);
  const waiting = views.filter((view) => view.kind !== "init" && !view.ready).map(({ name }) => name);
  const notReadyWhy = why ?? {
    reason: "ContainersNotReady",
    message: `containers with unready status: [${waiting.join(" ")}]`,
  };
  const conditions: Condition[] = [
    { type: "PodScheduled", status: "True" },
    { type: "Initialized", status: isInitialized ? "True" : "False" },
    { type: "ContainersReady", status: isReady ? "True" : "False", ...(isReady ? {} : notReadyWhy) },
    { type: "Ready", status: isReady ? "True" : "False", ...(isReady ? {} : notReadyWhy) },
  ];
  const hasBegun = views.some(
    ({ kind, now, last }) => kind === "main" && (now.phase !== "waiting" || last !== undefined),
  );
  const reason = state.phase === "ended" ? podReason(state.past.lastRun) : {};
  return {
    phase: state.phase === "ended" ? phaseOf(state) : hasBegun ? "Running" : "Pending",
    ...reason,
    conditions: stamped(conditions, previous, nowWallMs),
    hostIP: subject.hostIp,
    ...(run?.ip === undefined ? {} : { podIP: run.ip, podIPs: [{ ip: run.ip }] }),
    startTime: rfc3339(subject.acceptedWallMs),
    ...(inits.length === 0 ? {} : { initContainerStatuses: inits }),
    containerStatuses: mains,
  };
}

/** What ended the whole pod, and not one of its containers. */
const podReasons: ReadonlySet<string> = new Set(["Evicted", "DeadlineExceeded"]);

/** No container of the pod is started again. */
export const endsPod = ({ reason }: Pick<EndedRun, "reason">): boolean => podReasons.has(reason);

const podReason = (run: EndedRun | undefined): { readonly reason?: string; readonly message?: string } =>
  run !== undefined && endsPod(run) ? { reason: run.reason, message: run.message } : {};

function viewStatus(view: ContainerView, image: string): ContainerStatus {
  const { name, imageId, containerId, now, ready, started, restartCount, last } = view;
  return {
    name,
    image,
    imageID: imageId,
    ...(containerId === undefined ? {} : { containerID: containerId }),
    ready,
    started,
    restartCount,
    state: viewState(now),
    ...(last === undefined || now.phase === "ended" ? {} : { lastState: terminated(last) }),
  };
}

function viewState(now: ContainerView["now"]): ContainerState {
  switch (now.phase) {
    case "waiting":
      return { waiting: { reason: now.reason, ...(now.message === undefined ? {} : { message: now.message }) } };
    case "running":
      return { running: { startedAt: rfc3339(now.startedWallMs) } };
    case "ended":
      return terminated(now.run);
    default:
      return unreachable(now);
  }
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

function conditionsOf(state: PodState): Condition[] {
  const ready = state.phase === "ready";
  const why = ready ? undefined : notReady(state);
  return [
    { type: "PodScheduled", status: "True" },
    { type: "Initialized", status: "True" },
    { type: "ContainersReady", status: ready ? "True" : "False", ...why },
    { type: "Ready", status: ready ? "True" : "False", ...why },
  ];
}

/** A condition that did not change keeps its time. */
function stamped(wanted: readonly Condition[], previous: readonly Condition[], nowWallMs: number): Condition[] {
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
