import { setTimeout as sleep } from "node:timers/promises";

/** A timer that was set and can be taken back. */
export interface Timer {
  cancel(): void;
}

/** The only source of time. Tests and the simulator pass their own. */
export interface Clock {
  /** Monotonic milliseconds; for intervals only. */
  nowMs(): number;
  /** Wall clock, milliseconds since the epoch; for people and for times that leave the process. */
  wallMs(): number;
  /** Resolves after `delayMs`; rejects with `signal.reason` when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` each `intervalMs`. Does not keep the process alive. */
  every(intervalMs: number, run: () => void): Timer;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: (delayMs, signal) => sleep(delayMs, undefined, signal === undefined ? {} : { signal }),
  after: (delayMs, run) => {
    const handle = setTimeout(run, delayMs).unref();
    return { cancel: () => clearTimeout(handle) };
  },
  every: (intervalMs, run) => {
    const handle = setInterval(run, intervalMs).unref();
    return { cancel: () => clearInterval(handle) };
  },
};

/** RFC 3339 in UTC, whole seconds, as Kubernetes writes `metav1.Time`: `2026-11-21T03:00:19Z`. */
export const rfc3339 = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, 19)}Z`;

/** RFC 3339 in UTC with microseconds, as Kubernetes writes `metav1.MicroTime`. */
export const rfc3339Micro = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, 23)}000Z`;
