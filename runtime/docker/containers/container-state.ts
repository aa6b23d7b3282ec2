import { annotation, type ContainerStatus, type Pod } from "@shallop/sdk/api";
import type { ContainerRecord, RunEnd } from "./container-record.ts";
import { imageHealthcheck, nanosecondsToSeconds, retriesOf } from "./healthcheck.ts";

type StateName = "created" | "running" | "paused" | "restarting" | "exited";
type Health = "none" | "starting" | "healthy" | "unhealthy";

/** What a container is doing, as Docker has it. */
export interface ContainerState {
  readonly name: StateName;
  /** Of the current run; undefined before the first one. */
  readonly startedAt?: string;
  /** Of the last run that has ended. */
  readonly ended?: RunEnd;
  readonly restartCount: number;
  readonly health: Health;
  /** Why it cannot start, as long as it is tried. */
  readonly waiting?: { readonly reason: string; readonly message: string };
}

/** Reasons that a pod waits for which it will not stop to wait by itself. */
const lostReasons: readonly string[] = [
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "CreateContainerError",
  "CreateContainerConfigError",
  "RunContainerError",
  "Unschedulable",
];

/** Pure: what is stored, and what the API says of its pod, which may be gone. */
export function stateOf(record: ContainerRecord, pod: Pod | undefined, nowMs: number): ContainerState {
  const rest = {
    restartCount: 0,
    health: "none" as const,
    ...(record.ended === undefined ? {} : { ended: record.ended }),
  };
  if (pod === undefined)
    return { name: record.ended === undefined ? "created" : "exited", ...rest, restartCount: runCount(record.ended) };
  const status = pod.status?.containerStatuses?.[0];
  const phase = pod.status?.phase ?? "Pending";
  const own = endOf(pod, status);
  const ended = own ?? record.ended;
  const restartCount = status?.restartCount ?? 0;
  const shared = { restartCount, ...(ended === undefined ? {} : { ended }) };
  if (phase === "Succeeded" || phase === "Failed") return { name: "exited", health: "none", ...shared };
  if (status !== undefined && "running" in status.state) {
    const { startedAt } = status.state.running;
    const name = pod.metadata.annotations?.[annotation.paused] === "true" ? "paused" : "running";
    return { name, startedAt, health: healthOf(record, pod, status, nowMs), ...shared };
  }
  // A run of this pod is over, and the next one has not begun; its end is told before the pod's.
  if (own !== undefined) {
    const name = isStartedAgain(pod, own) ? "restarting" : "exited";
    return { name, health: "none", ...shared, startedAt: own.startedAt };
  }
  const waiting = waitingOf(pod, status);
  const name = record.ended === undefined ? "created" : "exited";
  return { name, health: "none", ...shared, ...(waiting === undefined ? {} : { waiting }) };
}

const isStartedAgain = ({ spec }: Pod, { exitCode }: RunEnd): boolean =>
  spec.restartPolicy !== "Never" && (spec.restartPolicy !== "OnFailure" || exitCode !== 0);

/** How often it had been started again when it ended: see RunEnd. */
export const runCount = (ended: RunEnd | undefined): number => Number(ended?.run.split("/").at(-1) ?? 0);

/** Is it of no use to wait longer for the start? */
export const isLost = ({ waiting }: ContainerState): boolean =>
  waiting !== undefined && lostReasons.includes(waiting.reason);

/** Is there a program of it, or will there be one without anybody's doing? */
export const isActive = ({ name }: ContainerState): boolean =>
  name === "running" || name === "paused" || name === "restarting";

/** Is there a program of it now, be it frozen? */
export const hasProgram = ({ name }: ContainerState): boolean => name === "running" || name === "paused";

function waitingOf(pod: Pod, status: ContainerStatus | undefined): ContainerState["waiting"] {
  if (status !== undefined && "waiting" in status.state) {
    const { reason, message = "" } = status.state.waiting;
    return { reason, message };
  }
  const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status !== "False") return undefined;
  return { reason: scheduled.reason ?? "Unschedulable", message: scheduled.message ?? "" };
}

/** How the run before ended: of a pod that has ended for good, or of a container that is started again. */
function endOf(pod: Pod, status: ContainerStatus | undefined): RunEnd | undefined {
  const restarts = status?.restartCount ?? 0;
  // Of a container that runs again, or begins to, the end is that of the run before.
  const isOver = status !== undefined && hasEnded(status.state);
  const run = `${pod.metadata.uid}/${String(isOver || restarts === 0 ? restarts : restarts - 1)}`;
  const states = status === undefined ? [] : [status.state, status.lastState];
  const [terminated] = states.flatMap((state) =>
    state !== undefined && "terminated" in state ? [state.terminated] : [],
  );
  if (terminated === undefined) {
    const { phase, reason = "", message = "" } = pod.status ?? {};
    if (phase !== "Failed" && phase !== "Succeeded") return undefined;
    const at = pod.status?.startTime ?? pod.metadata.creationTimestamp;
    return {
      run,
      exitCode: phase === "Failed" ? 128 : 0,
      startedAt: at,
      finishedAt: at,
      oomKilled: false,
      error: message || reason,
    };
  }
  const { exitCode, reason, message = "", startedAt, finishedAt } = terminated;
  const isStartError = reason === "StartError";
  return {
    run,
    exitCode: isStartError ? startExitCode(message) : exitCode,
    startedAt: startedAt ?? pod.metadata.creationTimestamp,
    finishedAt: finishedAt ?? pod.metadata.creationTimestamp,
    oomKilled: reason === "OOMKilled",
    error: isStartError ? startErrorText(message) : "",
  };
}

/** The last run is over, and the next one, if there is to be one, has not begun. */
const hasEnded = (state: ContainerStatus["state"]): boolean =>
  "terminated" in state || ("waiting" in state && state.waiting.reason === "CrashLoopBackOff");

/** Clients tell by these words that a program is not there (127) or may not be run (126). */
export function startErrorText(message: string): string {
  const [, program] = /executable file [`'"]?([^`'"]+)[`'"]? (?:not found|in)/.exec(message) ?? [];
  if (program !== undefined && /not found/.test(message)) {
    return `exec: "${program}": executable file not found in $PATH: unknown`;
  }
  return startExitCode(message) === 126 ? `${message}: permission denied: unknown` : message;
}

/** As a shell counts them: 127 of a program that is not there, 126 of one that cannot be run, 128 of anything else. */
export const startExitCode = (message: string): number =>
  /not found|no such file or directory/i.test(message)
    ? 127
    : /permission denied|is a directory|open executable|unable to find (user|group)/i.test(message)
      ? 126
      : 128;

/** A container with a check is healthy while its pod is ready; what was never ready has its time to become so. */
function healthOf(record: ContainerRecord, pod: Pod, status: ContainerStatus, nowMs: number): Health {
  const check = imageHealthcheck(record);
  if (check === undefined) return "none";
  if (status.ready) return "healthy";
  const condition = pod.status?.conditions?.find(({ type }) => type === "ContainersReady" || type === "Ready");
  const startedMs = "running" in status.state ? Date.parse(status.state.running.startedAt) : nowMs;
  const retries = retriesOf(check);
  const patienceMs =
    1000 *
    (nanosecondsToSeconds(check.startPeriodNs, 0) +
      retries * (nanosecondsToSeconds(check.intervalNs, 30) + nanosecondsToSeconds(check.timeoutNs, 30)));
  const wasReady =
    condition?.lastTransitionTime !== undefined && Date.parse(condition.lastTransitionTime) > startedMs + 1000;
  return wasReady || nowMs - startedMs > patienceMs ? "unhealthy" : "starting";
}

/** `Up 3 seconds (healthy)`, `Exited (0) 2 minutes ago`, as `docker ps` shows it. Pure. */
export function statusText(state: ContainerState, nowMs: number): string {
  const { name, startedAt, ended, health } = state;
  const age = (time: string | undefined): string => humanAge(Math.max(0, nowMs - Date.parse(time ?? "")));
  switch (name) {
    case "created":
      return "Created";
    case "running":
    case "paused": {
      const note =
        name === "paused"
          ? " (Paused)"
          : health === "none"
            ? ""
            : ` (${health === "starting" ? "health: starting" : health})`;
      return `Up ${age(startedAt)}${note}`;
    }
    case "restarting":
      return `Restarting (${String(ended?.exitCode ?? 0)}) ${age(ended?.finishedAt)} ago`;
    case "exited":
      return `Exited (${String(ended?.exitCode ?? 0)}) ${age(ended?.finishedAt)} ago`;
    default:
      return name satisfies never;
  }
}

/** github.com/docker/go-units, HumanDuration: the largest unit only. Worked: 90 s are "About a minute". */
export function humanAge(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(minutes / 60);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${String(seconds)} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${String(minutes)} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${String(hours)} hours`;
  if (hours < 24 * 7 * 2) return `${String(Math.floor(hours / 24))} days`;
  if (hours < 24 * 30 * 2) return `${String(Math.floor(hours / 24 / 7))} weeks`;
  if (hours < 24 * 365 * 2) return `${String(Math.floor(hours / 24 / 30))} months`;
  return `${String(Math.floor(hours / 24 / 365))} years`;
}
