import { LRUCache } from "lru-cache";

/** What a meter is given to read. */
export interface CpuReadings {
  readonly nowMs: () => number;
  /** CPU time of the thread so far. Answers late, or never, while the thread is in one long instruction. */
  readonly threadMs: () => Promise<number>;
  /** CPU time of the whole process: what the thread has used is not more. */
  readonly processMs: () => number;
}

// Requests whose guests take turns; one that has not been seen for as many others begins anew.
const requestsMax = 1000;

/** How often a meter is to look. */
export const lookMs = 25;

interface Question {
  readonly call: number;
  readonly askedMs: number;
  readonly processMs: number;
}

/**
 * CPU time of requests, measured from outside their thread: each time it is looked at, what the thread has used since is
 * counted for the request that a guest is at work for, as a kernel counts by its ticks. Requests that are at work for less
 * than that pass unseen as often as they are counted for more than they took.
 */
export class CpuMeter {
  readonly #readings: CpuReadings;
  readonly #usedMs = new LRUCache<number, number>({ max: requestsMax });
  #lookedMs = Number.NEGATIVE_INFINITY;
  #threadMs = 0;
  #question: Question | undefined;

  constructor(readings: CpuReadings) {
    this.#readings = readings;
  }

  /** Call it each `lookMs`. `call`: the number of the one that a guest is at work for, 0 = none. */
  look(call: number): void {
    if (call === 0 || this.#question !== undefined) return;
    const question = { call, askedMs: this.#readings.nowMs(), processMs: this.#readings.processMs() };
    this.#question = question;
    this.#readings.threadMs().then(
      (threadMs) => this.#answered(question, threadMs),
      // The thread has gone.
      () => undefined,
    );
  }

  /** Milliseconds that the call has used. */
  usedMs(call: number): number {
    const known = this.#usedMs.get(call) ?? 0;
    const question = this.#question;
    if (question === undefined || question.call !== call) return known;
    // It does not answer: it is at work.
    const waitedMs = this.#readings.nowMs() - question.askedMs;
    return known + Math.min(waitedMs, this.#readings.processMs() - question.processMs);
  }

  #answered({ call, askedMs }: Question, threadMs: number): void {
    this.#question = undefined;
    const nowMs = this.#readings.nowMs();
    // What it did while nobody looked was not this request's alone.
    const isNext = askedMs - this.#lookedMs <= 2 * lookMs;
    const usedMs = Math.min(threadMs - this.#threadMs, isNext ? nowMs - this.#lookedMs : lookMs);
    this.#threadMs = threadMs;
    this.#lookedMs = nowMs;
    this.#usedMs.set(call, (this.#usedMs.get(call) ?? 0) + Math.max(0, usedMs));
  }
}
