import type { GatewayFaultCode } from "./fault-status.ts";

export interface FailedAttempt {
  readonly code: GatewayFaultCode;
  /** How often it was refused or lost so far, this time included. */
  readonly losses: number;
  /** How often a pod was lost with it, and nobody had found before that the pod is not well; this time included. */
  readonly podsLost: number;
  /** The answer's head has come: the client may have seen some of it. */
  readonly answered: boolean;
  readonly idempotent: boolean;
  /** All of the body that was sent can be sent again. */
  readonly replayable: boolean;
  /** Somebody has found before that the pod is not well: this is the same misfortune, not another one. */
  readonly isKnown: boolean;
}

// A pod that refuses or vanishes is bad luck once, twice a coincidence; more is an illness that retries make worse.
const lossesMax = 4;
// A pod that dies with a request may have died of it: a second one may find out, a third may not.
const podsLostMax = 1;

/**
 * Whether a request may be given to a pod again. A connection that could not be made is tried again for as long as the
 * request may wait: nothing was sent, and each pod that fails is set aside meanwhile. A pod that refused has not begun.
 * A connection that was lost says nothing: only a request that may be done twice is (RFC 9110, 9.2.2), and only while
 * the budget lasts. The budget counts pods that were lost, not the requests that were lost with one: a node that dies
 * takes hundreds of them along at once, and a request that kills each pod it comes to pays for each, and has two.
 */
export function mayRetry(attempt: FailedAttempt, budget: RetryBudget): boolean {
  if (attempt.answered || !attempt.replayable) return false;
  if (attempt.code === "CONNECT_FAILED") return true;
  if (attempt.losses >= lossesMax) return false;
  if (attempt.code === "REFUSED") return true;
  if (attempt.code !== "CONNECTION_LOST" || !attempt.idempotent) return false;
  return attempt.isKnown || (attempt.podsLost <= podsLostMax && budget.take());
}

// Envoy's default: retries are a fifth of all requests at most, and ours count less. A quiet gateway may retry a few, and a busy one does
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
