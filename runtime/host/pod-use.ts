import type { Clock } from "@shallop/sdk/internal";

/** What a pod has used since its start, and holds now. */
export interface PodUse {
  readonly uid: string;
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

/** What is read of the thread that a pod has at the moment. */
export interface UsedThread {
  /** Answers late, or never, while the thread is in one long instruction. */
  cpuMs(): Promise<number>;
  /** Likewise. */
  memoryBytes(): Promise<number>;
}

export interface PodUseReadings {
  readonly clock: Clock;
  /** CPU time of the whole process: what one thread has used is not more. */
  readonly processMs: () => number;
}

/** A thread answers within a turn of its event loop, or is at work. */
const answerTimeoutMs = 100;

/** Adds up what the threads of one pod have used, those included that were replaced. */
export class PodUseMeter {
  readonly #readings: PodUseReadings;
  #thread: UsedThread | undefined;
  /** Of the threads before this one. */
  #beforeMs = 0;
  /** Of this one when it last answered, and what its process had used then. */
  #last = { atMs: 0, threadMs: 0, processMs: 0 };
  #memoryBytes = 0;

  constructor(readings: PodUseReadings) {
    this.#readings = readings;
  }

  async read(thread: UsedThread): Promise<{ readonly cpuMs: number; readonly memoryBytes: number }> {
    const { clock, processMs } = this.#readings;
    if (thread !== this.#thread) {
      this.#beforeMs += this.#last.threadMs;
      this.#last = { atMs: clock.nowMs(), threadMs: 0, processMs: processMs() };
      this.#thread = thread;
    }
    const late = new AbortController();
    const timeout = clock.sleep(answerTimeoutMs, late.signal).then(
      () => undefined,
      () => undefined,
    );
    const answer = Promise.all([thread.cpuMs(), thread.memoryBytes()]).catch(() => undefined);
    const answered = await Promise.race([answer, timeout]);
    late.abort();
    if (answered === undefined) return { cpuMs: this.#beforeMs + this.#guess(), memoryBytes: this.#memoryBytes };
    const [threadMs, memoryBytes] = answered;
    this.#last = { atMs: clock.nowMs(), threadMs, processMs: processMs() };
    this.#memoryBytes = memoryBytes;
    return { cpuMs: this.#beforeMs + threadMs, memoryBytes };
  }

  /** It does not answer: it has been at work since, as far as its process had the processor. */
  #guess(): number {
    const { clock, processMs } = this.#readings;
    const { atMs, threadMs, processMs: before } = this.#last;
    return threadMs + Math.min(clock.nowMs() - atMs, processMs() - before);
  }
}
