import type { Clock, Timer } from "@shallop/sdk/internal";
import type { Dispatcher } from "../activate/dispatcher.ts";
import type { GatewayLimits } from "../limits.ts";
import type { ClientBody } from "./client-body.ts";
import type { ExchangeStory } from "./exchange-story.ts";
import type { GatewayFaultCode } from "./fault-status.ts";

// The pod ends a guest that is too slow itself, and says so; the gateway is the second to notice.
const timeoutGraceMs = 250;
// A timer of Node may fire a millisecond early, in the pod as here.
const timerSlackMs = 2;

/** How far the request has come. */
export interface DeadlineOwner {
  /** It has a pod at this moment. */
  readonly hasPod: boolean;
  /** Status of the answer, once it has begun. */
  readonly answerStatus: number | undefined;
  /** Since when its client has taken nothing of an answer that waits. */
  readonly unreadSinceMs: number | undefined;
  /** A limit has been reached. */
  expired(code: GatewayFaultCode, nowMs: number): void;
}

export interface DeadlineOptions {
  readonly clock: Clock;
  readonly limits: GatewayLimits;
  readonly dispatcher: Dispatcher;
  readonly story: ExchangeStory;
  readonly body: ClientBody;
  /** What a routing rule allows: for all of it, and for one attempt to begin its answer. */
  readonly rules:
    | { readonly timeoutMs?: number | undefined; readonly attemptTimeoutMs?: number | undefined }
    | undefined;
}

interface Limit {
  readonly atMs: number;
  readonly code: GatewayFaultCode;
}

/** The limits on time of one request, and the one timer that keeps the next of them. */
export class Deadline {
  readonly #options: DeadlineOptions;
  readonly #owner: DeadlineOwner;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(owner: DeadlineOwner, options: DeadlineOptions) {
    this.#owner = owner;
    this.#options = options;
  }

  /** Sees to it that the limits are looked at when the next one is reached, or before. */
  arm(nowMs: number): void {
    const dueMs = this.#next().atMs;
    if (dueMs === Number.POSITIVE_INFINITY) return this.cancel();
    if (this.#timer !== undefined && this.#timerAtMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = dueMs;
    this.#timer = this.#options.clock.after(Math.max(0, dueMs - nowMs), () => this.#check());
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The pod has had all the time that the revision gives it. Its clock began a moment after ours. */
  get isTooLate(): boolean {
    const { clock, dispatcher, story } = this.#options;
    if (story.sentMs === undefined || this.#owner.answerStatus !== undefined) return false;
    return clock.nowMs() - story.sentMs >= dispatcher.target.timeoutMs - timerSlackMs;
  }

  /** This attempt has had its time, and the request has some left. */
  isAttemptOver(nowMs: number): boolean {
    const { rules, story } = this.#options;
    const wholeMs = story.arrivedMs + (rules?.timeoutMs ?? Number.POSITIVE_INFINITY);
    return this.#owner.answerStatus === undefined && nowMs < wholeMs && nowMs >= this.#attemptUntilMs() - 1;
  }

  #check(): void {
    this.#timer = undefined;
    const nowMs = this.#options.clock.nowMs();
    const { atMs, code } = this.#next();
    // A timer of Node may fire a millisecond early.
    if (atMs > nowMs + 1) return this.arm(nowMs);
    this.#owner.expired(code, nowMs);
  }

  #attemptUntilMs(): number {
    const { rules, story } = this.#options;
    return (story.sentMs ?? 0) + (rules?.attemptTimeoutMs ?? Number.POSITIVE_INFINITY);
  }

  #next(): Limit {
    const limit = this.#limitOfReader(this.#limitOfPod());
    const { rules, story } = this.#options;
    const { hasPod, answerStatus } = this.#owner;
    if (rules === undefined || answerStatus === 101) return limit;
    const wholeMs = story.arrivedMs + (rules.timeoutMs ?? Number.POSITIVE_INFINITY);
    const attemptMs = !hasPod || answerStatus !== undefined ? Number.POSITIVE_INFINITY : this.#attemptUntilMs();
    const atMs = Math.min(wholeMs, attemptMs);
    return atMs < limit.atMs ? { atMs, code: "ANSWER_TIMEOUT" } : limit;
  }

  /** Whoever does not read holds his pod back, and a place in it. */
  #limitOfReader(limit: Limit): Limit {
    const atMs = (this.#owner.unreadSinceMs ?? Number.POSITIVE_INFINITY) + this.#options.limits.bodyIdleTimeoutMs;
    return atMs < limit.atMs ? { atMs, code: "ANSWER_UNREAD" } : limit;
  }

  #limitOfPod(): Limit {
    const { limits, dispatcher, story, body } = this.#options;
    const { hasPod, answerStatus } = this.#owner;
    const { timeoutMs, responseStartTimeoutMs, idleTimeoutMs } = dispatcher.target;
    if (!hasPod) {
      // Who says it of a revision knows how long its pods take.
      const { waitMs = limits.activationTimeoutMs } = dispatcher.target.hold;
      const atMs = story.arrivedMs + Math.min(timeoutMs, waitMs);
      return { atMs, code: dispatcher.usablePods > 0 ? "QUEUE_TIMEOUT" : "START_TIMEOUT" };
    }
    if (answerStatus === 101) return { atMs: this.#silentUntilMs(idleTimeoutMs), code: "ANSWER_TIMEOUT" };
    const grantedMs = story.grantedMs ?? story.arrivedMs;
    const answering = answerStatus !== undefined;
    let atMs = grantedMs + (answering ? timeoutMs : Math.min(timeoutMs, responseStartTimeoutMs)) + timeoutGraceMs;
    if (answering && idleTimeoutMs > 0) atMs = Math.min(atMs, story.lastAnswerMs + idleTimeoutMs);
    const bodyMs = body.lastReadMs;
    if (bodyMs !== undefined && bodyMs + limits.bodyIdleTimeoutMs < atMs) {
      return { atMs: bodyMs + limits.bodyIdleTimeoutMs, code: "REQUEST_TIMEOUT" };
    }
    return { atMs, code: "ANSWER_TIMEOUT" };
  }

  /** A WebSocket may last as long as it likes, and be silent on both sides for as long as the revision says. */
  #silentUntilMs(idleTimeoutMs: number): number {
    if (idleTimeoutMs === 0) return Number.POSITIVE_INFINITY;
    const { story, body } = this.#options;
    return Math.max(story.lastAnswerMs, body.lastSentMs) + idleTimeoutMs;
  }
}
