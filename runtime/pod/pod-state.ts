import type { PodEndpoint } from "@shallop/sdk/api";
import { unreachable } from "@shallop/sdk/internal";
import { crashBackoffMs, nextCrashCount, pullBackoffMs } from "./crash-backoff.ts";
import type { PodExit } from "./pod-runtime.ts";

/** A run that is over. Wall times, for people. */
export interface EndedRun extends PodExit {
  readonly startedWallMs?: number;
  readonly finishedWallMs: number;
}

/** The run that can answer now. */
export interface Run {
  readonly endpoint: PodEndpoint;
  readonly ip?: string;
  readonly containerId: string;
  readonly startedWallMs: number;
}

/** What a pod brings along from phase to phase. */
export interface Past {
  /** Starts after the first. */
  readonly restartCount: number;
  /** Failures in a row; see crash-backoff.ts. */
  readonly crashCount: number;
  /** Pulls or starts in a row that were refused before anything ran. */
  readonly refusalCount: number;
  readonly lastRun?: EndedRun;
}

/** `waiting.reason` of a pod that waits for its next try, as Kubernetes writes it. */
export type BackoffReason = "ImagePullBackOff" | "CrashLoopBackOff" | "CreateContainerError" | "NoCapacity";

export type PodState =
  | { readonly phase: "pending"; readonly past: Past }
  | { readonly phase: "pulling"; readonly past: Past }
  | { readonly phase: "starting"; readonly past: Past }
  | { readonly phase: "ready"; readonly past: Past; readonly run: Run; readonly sinceMs: number }
  | { readonly phase: "draining"; readonly past: Past; readonly run?: Run; readonly untilMs: number }
  | {
      readonly phase: "backoff";
      readonly past: Past;
      readonly untilMs: number;
      readonly reason: BackoffReason;
      readonly message: string;
    }
  | { readonly phase: "ended"; readonly past: Past; readonly outcome: "Succeeded" | "Failed" | "Stopped" };

export type RestartPolicy = "Always" | "OnFailure" | "Never";

/** A run that is over, and how the pod wants to be started again. */
export interface RunOver {
  readonly ended: EndedRun;
  readonly restart: RestartPolicy;
  /** The first wait, where the pod asks for one; see crash-backoff.ts. */
  readonly restartAfterMs?: number;
}

export type PodEvent =
  /** Run it. `prepared`: the image is ready, nothing has to be pulled. */
  | { readonly kind: "begin"; readonly prepared: boolean }
  | { readonly kind: "adopted"; readonly run: Run }
  /** It has run, nothing of it is here, and it is to run once. */
  | { readonly kind: "lost" }
  | { readonly kind: "pulled" }
  | { readonly kind: "pull-failed"; readonly message: string }
  | { readonly kind: "started"; readonly run: Run }
  /** Nothing ran: the runtime would not begin. */
  | { readonly kind: "refused"; readonly reason: BackoffReason; readonly message: string }
  /** It ran and ended before it was ready. */
  | ({ readonly kind: "start-failed" } & RunOver)
  /** It had been ready, and ended without being asked. */
  | ({ readonly kind: "exited" } & RunOver)
  /** Time passed; `nowMs` says how much. */
  | { readonly kind: "timer" }
  | { readonly kind: "stop"; readonly graceMs: number }
  | { readonly kind: "stopped" };

export type PodEffect =
  | { readonly kind: "pull" }
  /** `again`: something of this pod ran before and may have left remains. */
  | { readonly kind: "start"; readonly again: boolean }
  | { readonly kind: "stop"; readonly graceMs: number }
  /** Abort the pull or start under way. */
  | { readonly kind: "cancel" }
  /** Send `timer` at this time. */
  | { readonly kind: "wake"; readonly atMs: number }
  | {
      readonly kind: "event";
      readonly type: "Normal" | "Warning";
      readonly reason: string;
      readonly message: string;
    };

export interface Step {
  readonly state: PodState;
  readonly effects: readonly PodEffect[];
}

export const newPod: PodState = { phase: "pending", past: { restartCount: 0, crashCount: 0, refusalCount: 0 } };

/** May requests be sent to it? */
export const canServe = (state: PodState): state is PodState & { readonly phase: "ready" } => state.phase === "ready";

/** Does it hold room on the node? */
export const holdsRoom = (state: PodState): boolean =>
  state.phase === "starting" || state.phase === "ready" || state.phase === "draining";

const stay = (state: PodState): Step => ({ state, effects: [] });

/**
 * The life of a pod: what follows on `event`, and what is to be done about it. An event that does not fit the phase
 * leaves the state as it is: answers to calls that were given up may still come in.
 */
export function step(state: PodState, event: PodEvent, nowMs: number): Step {
  switch (event.kind) {
    case "begin":
      return state.phase === "pending" ? begin(state.past, event.prepared) : stay(state);
    case "adopted":
      if (state.phase !== "pending") return stay(state);
      return { state: { phase: "ready", past: state.past, run: event.run, sinceMs: nowMs }, effects: [] };
    case "lost":
      if (state.phase !== "pending") return stay(state);
      return { state: { phase: "ended", past: state.past, outcome: "Failed" }, effects: [] };
    case "pulled":
      return state.phase === "pulling" ? begin(state.past, true) : stay(state);
    case "pull-failed":
      if (state.phase !== "pulling") return stay(state);
      return refused(state.past, { reason: "ImagePullBackOff", message: event.message }, nowMs);
    case "started":
      return started(state, event.run, nowMs);
    case "refused":
      return state.phase === "starting" ? refused(state.past, event, nowMs) : stay(state);
    case "start-failed":
      return state.phase === "starting" ? failed({ past: state.past, ranMs: 0 }, event, nowMs) : stay(state);
    case "exited":
      if (state.phase !== "ready") return stay(state);
      return failed({ past: state.past, ranMs: nowMs - state.sinceMs }, event, nowMs);
    case "timer":
      return state.phase === "backoff" && nowMs >= state.untilMs ? again(state) : stay(state);
    case "stop":
      return stop(state, event.graceMs, nowMs);
    case "stopped":
      return state.phase === "draining" ? over(state.past, "Stopped") : stay(state);
    default:
      return unreachable(event);
  }
}

function begin(past: Past, prepared: boolean): Step {
  return prepared
    ? { state: { phase: "starting", past }, effects: [{ kind: "start", again: past.restartCount > 0 }] }
    : { state: { phase: "pulling", past }, effects: [{ kind: "pull" }] };
}

function started(state: PodState, run: Run, nowMs: number): Step {
  // The stop overtook the start: what has come up must go again.
  if (state.phase === "draining") return { state, effects: [{ kind: "stop", graceMs: 0 }] };
  if (state.phase !== "starting") return stay(state);
  return {
    state: { phase: "ready", past: { ...state.past, refusalCount: 0 }, run, sinceMs: nowMs },
    effects: [{ kind: "event", type: "Normal", reason: "Started", message: `started ${run.containerId}` }],
  };
}

function refused(past: Past, why: { readonly reason: BackoffReason; readonly message: string }, nowMs: number): Step {
  const refusalCount = past.refusalCount + 1;
  const untilMs = nowMs + pullBackoffMs(refusalCount);
  return {
    state: { phase: "backoff", past: { ...past, refusalCount }, untilMs, reason: why.reason, message: why.message },
    effects: [
      { kind: "wake", atMs: untilMs },
      { kind: "event", type: "Warning", reason: "Failed", message: why.message },
    ],
  };
}

function failed(before: { readonly past: Past; readonly ranMs: number }, event: RunOver, nowMs: number): Step {
  const { ended, restart, restartAfterMs } = event;
  const crashCount = nextCrashCount(before.past.crashCount, before.ranMs, restartAfterMs);
  const past: Past = { ...before.past, crashCount, lastRun: ended };
  const clean = ended.exitCode === 0;
  const event_: PodEffect = {
    kind: "event",
    type: clean ? "Normal" : "Warning",
    reason: clean ? "Completed" : "Died",
    message: `ended with exit code ${String(ended.exitCode)} (${ended.reason})${ended.message === "" ? "" : `: ${ended.message}`}`,
  };
  if (restart === "Never" || (restart === "OnFailure" && clean)) {
    const end = over(past, clean ? "Succeeded" : "Failed");
    return { state: end.state, effects: [event_, { kind: "stop", graceMs: 0 }] };
  }
  const waitMs = crashBackoffMs(crashCount, restartAfterMs);
  if (waitMs === 0) {
    const restarted: Past = { ...past, restartCount: past.restartCount + 1 };
    return { state: { phase: "starting", past: restarted }, effects: [event_, { kind: "start", again: true }] };
  }
  const untilMs = nowMs + waitMs;
  const message = `back-off ${String(waitMs / 1000)}s restarting failed container: ${ended.reason}`;
  return {
    state: { phase: "backoff", past, untilMs, reason: "CrashLoopBackOff", message },
    effects: [event_, { kind: "wake", atMs: untilMs }, { kind: "event", type: "Warning", reason: "BackOff", message }],
  };
}

/** The wait is over: after a crash the image is there; after a refusal it is asked for again. */
function again(state: PodState & { readonly phase: "backoff" }): Step {
  if (state.reason !== "CrashLoopBackOff") return begin(state.past, false);
  return begin({ ...state.past, restartCount: state.past.restartCount + 1 }, true);
}

function stop(state: PodState, graceMs: number, nowMs: number): Step {
  switch (state.phase) {
    case "pending":
      return over(state.past, "Stopped");
    case "pulling":
      return { state: over(state.past, "Stopped").state, effects: [{ kind: "cancel" }] };
    case "backoff":
      return { state: over(state.past, "Stopped").state, effects: [{ kind: "stop", graceMs: 0 }] };
    case "starting":
      // Nobody is served by it yet, so there is nothing to wait for.
      return {
        state: { phase: "draining", past: state.past, untilMs: nowMs },
        effects: [{ kind: "cancel" }, { kind: "stop", graceMs: 0 }],
      };
    case "ready":
      return {
        state: { phase: "draining", past: state.past, run: state.run, untilMs: nowMs + graceMs },
        effects: [
          {
            kind: "event",
            type: "Normal",
            reason: "Killing",
            message: `stopping; ${String(graceMs / 1000)}s of grace`,
          },
          { kind: "stop", graceMs },
        ],
      };
    case "draining":
      // A second stop may only be more urgent.
      if (nowMs + graceMs >= state.untilMs) return stay(state);
      return { state: { ...state, untilMs: nowMs + graceMs }, effects: [{ kind: "stop", graceMs }] };
    case "ended":
      return stay(state);
    default:
      return unreachable(state);
  }
}

const over = (past: Past, outcome: "Succeeded" | "Failed" | "Stopped"): Step => ({
  state: { phase: "ended", past, outcome },
  effects: [],
});
