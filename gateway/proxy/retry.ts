import type { GatewayFaultCode } from "./fault-status.ts";

export interface FailedAttempt {
  readonly code: GatewayFaultCode;
  /** Attempts so far, this one included. */
  readonly attempts: number;
  /** The answer's head has come: the client may have seen some of it. */
  readonly answered: boolean;
  readonly idempotent: boolean;
  readonly hasBody: boolean;
  /** All of the body that was sent can be sent again. */
  readonly replayable: boolean;
}

// A pod that refuses or vanishes is bad luck once, twice a coincidence; more is an illness that retries make worse.
const attemptsMax = 4;

/**
 * Whether a request may be given to a pod again. A connection that could not be made is tried again for as long as the
 * request may wait: nothing was sent, and each pod that fails is set aside meanwhile. A pod that refused has not begun.
 * A connection that was lost says nothing: only a request without body that may be done twice is (RFC 9110, 9.2.2),
 * and only while the budget lasts.
 */
export function mayRetry(attempt: FailedAttempt, budget: RetryBudget): boolean {
  if (attempt.answered) return false;
  if (attempt.code === "CONNECT_FAILED") return attempt.replayable;
  if (attempt.attempts >= attemptsMax) return false;
  if (attempt.code === "REFUSED") return attempt.replayable;
  return attempt.code === "CONNECTION_LOST" && attempt.idempotent && !attempt.hasBody && budget.take();
}

// Envoy's default: retries are a fifth of all requests at most. A quiet gateway may retry a few, and a busy one does
// not save up for more than one bad moment.
const tokensPerRequest = 0.2;
const tokensMin = 10;
const tokensMax = 200;

/** Bounds the load that retries add when pods die in numbers. */
export class RetryBudget {
  #tokens = tokensMin;

  /** A request has come. */
  earn(): void {
    this.#tokens = Math.min(this.#tokens + tokensPerRequest, tokensMax);
  }

  take(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
