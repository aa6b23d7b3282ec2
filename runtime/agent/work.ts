import { type Clock, describeError, type Log, type Timer } from "@shallop/sdk/internal";

/** First wait after a failure; a control plane that restarts is back within a second or two. */
const retryMsMin = 250;
/** Longest wait, unless a job says otherwise: what was asked for still happens soon after the other side is back. */
const retryMsMaxDefault = 15_000;

export interface JobOptions {
  /** Longest wait after failures; for jobs that cost much. */
  readonly retryMsMax?: number;
}

interface Entry {
  running: boolean;
  failures: number;
  notBeforeMs: number;
}

interface Attempt {
  readonly key: string;
  readonly entry: Entry;
  readonly retryMsMax: number;
}

/**
 * Jobs by key: one at a time each; after a failure the key rests, longer each time. The loop offers what is to be done
 * again and again; this decides whether now is the time.
 */
export class Work {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #wake: () => void;
  readonly #entries = new Map<string, Entry>();
  readonly #timers = new Set<Timer>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  /** `wake` is called when a job is done, and when one may be tried again. */
  constructor(clock: Clock, log: Log, wake: () => void) {
    this.#clock = clock;
    this.#log = log;
    this.#wake = wake;
  }

  /** Runs the job unless one of its key runs or rests. */
  offer(key: string, job: () => Promise<unknown>, options: JobOptions = {}): void {
    const entry = this.#entries.get(key) ?? { running: false, failures: 0, notBeforeMs: 0 };
    if (this.#closed || entry.running || this.#clock.nowMs() < entry.notBeforeMs) return;
    entry.running = true;
    this.#entries.set(key, entry);
    const attempt = { key, entry, retryMsMax: options.retryMsMax ?? retryMsMaxDefault };
    const running = this.#run(attempt, job).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Takes no more jobs, and waits for those that run. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    await Promise.all(this.#running);
  }

  async #run(attempt: Attempt, job: () => Promise<unknown>): Promise<void> {
    const { key, entry, retryMsMax } = attempt;
    try {
      await job();
      this.#entries.delete(key);
    } catch (error) {
      entry.running = false;
      entry.failures++;
      const waitMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(entry.failures - 1, 10));
      entry.notBeforeMs = this.#clock.nowMs() + waitMs;
      this.#log.warn("to be tried again", { job: key, failures: entry.failures, waitMs, error: describeError(error) });
      const timer = this.#clock.after(waitMs, () => {
        this.#timers.delete(timer);
        this.#wake();
      });
      this.#timers.add(timer);
    }
    if (!this.#closed) this.#wake();
  }
}
