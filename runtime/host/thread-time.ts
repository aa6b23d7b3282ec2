import type { Clock } from "@shallop/sdk/internal";

/** What is known of a thread that may be stuck. */
export interface TimedThread {
  /** CPU time that it has used, milliseconds; undefined where that cannot be read. */
  readonly ownMs: number | undefined;
  /** When what it is at must be over, on a scale of its own. Another one each time that it has ended something. */
  readonly deadline: number;
  /** By how much it is over that, milliseconds; negative while there is time. */
  overdueMs(): number;
}

export interface ThreadTimeSettings {
  readonly clock: Clock;
  /** CPU time of the whole process: what one thread has used is not more. */
  readonly processMs: () => number;
}

// A thread that waits for its processor as long as this is of no use either. Where forty others want it, one has a twentieth of it.
const starvedMsMax = 30_000;
const pauseMs = 5;

/**
 * How long a thread is waited for. Counted is the processor that it had, not the time on the wall: where many threads are at
 * work, one of them comes to little, and is not stuck for that.
 */
export class ThreadTime {
  readonly #thread: TimedThread;
  readonly #settings: ThreadTimeSettings;
  /** What it had used when it was first seen to be over this deadline; undefined while it is over none. */
  #overdue: { readonly deadline: number; readonly usedMs: number } | undefined;
  /** What it had used when that could last be read. */
  #ownMs: number | undefined;

  constructor(thread: TimedThread, settings: ThreadTimeSettings) {
    this.#thread = thread;
    this.#settings = settings;
  }

  /** Until `isOver`, or the thread has had `timeoutMs` of processor, or far too little of it. @returns what it has had, in words */
  async until(isOver: () => boolean, timeoutMs: number): Promise<string> {
    const { clock } = this.#settings;
    const began = { nowMs: clock.nowMs(), usedMs: this.#usedMs };
    for (;;) {
      const waitedMs = clock.nowMs() - began.nowMs;
      const usedMs = Math.min(waitedMs, this.#usedMs - began.usedMs);
      if (isOver() || waitedMs > starvedMsMax || usedMs > timeoutMs)
        return `${usedMs.toFixed(0)} ms of processor within ${waitedMs.toFixed(0)} ms`;
      await clock.sleep(pauseMs);
    }
  }

  /**
   * It has had `maxMs` of processor since what it is at was to be over, and has not ended it. One that is late with a crowd, and ends one
   * after the other, is at work. Call it now and then.
   */
  isOverdue(maxMs: number): boolean {
    const { deadline } = this.#thread;
    const overdueMs = this.#thread.overdueMs();
    if (overdueMs <= 0) {
      this.#overdue = undefined;
      return false;
    }
    const usedMs = this.#usedMs;
    if (this.#overdue?.deadline !== deadline) this.#overdue = { deadline, usedMs };
    return Math.min(overdueMs, usedMs - this.#overdue.usedMs) > maxMs || overdueMs > starvedMsMax;
  }

  /** A thread whose time cannot be read any more has ended, and is heard of when there is a processor for that: it uses nothing. */
  get #usedMs(): number {
    this.#ownMs = this.#thread.ownMs ?? this.#ownMs;
    return this.#ownMs ?? this.#settings.processMs();
  }
}
