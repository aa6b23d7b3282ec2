/**
 * How long a failed pod's replacement waits: 10 s, doubling to 5 min, and forgotten after 10 min without a failure
 * (kubelet's container back-off). A pod restarts its container by itself under the same rule; this one is for pods that
 * have ended for good.
 */
const backoffMsMin = 10_000;
const backoffMsMax = 300_000;
const forgottenMs = 600_000;
// Ended pods are deleted at once; these are remembered so that one that is still listed does not count twice.
const seenMax = 100;

export interface Backoff {
  readonly failures: number;
  readonly lastMs: number;
  /** Of the last failure, in a sentence. */
  readonly reason: string;
  readonly seen: readonly string[];
}

/** `backoff` with pods that have ended since; the same object when there are none. */
export function withEnded(
  backoff: Backoff | undefined,
  ended: readonly { readonly uid: string; readonly reason: string }[],
  nowMs: number,
): Backoff | undefined {
  const seen = backoff?.seen ?? [];
  const fresh = ended.filter(({ uid }) => !seen.includes(uid));
  const [first] = fresh;
  if (first === undefined) return isForgotten(backoff, nowMs) ? undefined : backoff;
  const allSeen = [...seen, ...fresh.map(({ uid }) => uid)].slice(-seenMax);
  // Pods that fail together, or one after the other while nothing takes their place, are one failure: a node that stops takes all of
  // its pods along, and tells of each by itself. Only what was started since has shown that another start is of no use.
  if (backoff !== undefined && heldMs(backoff, nowMs) > 0) return { ...backoff, seen: allSeen };
  const before = isForgotten(backoff, nowMs) ? 0 : (backoff?.failures ?? 0);
  return { failures: before + 1, lastMs: nowMs, reason: first.reason, seen: allSeen };
}

const isForgotten = (backoff: Backoff | undefined, nowMs: number): boolean =>
  backoff === undefined || nowMs - backoff.lastMs > forgottenMs;

/** Milliseconds until the next pod may be started; 0: now. */
export function heldMs(backoff: Backoff | undefined, nowMs: number): number {
  if (backoff === undefined) return 0;
  const waitMs = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(backoff.failures - 1, 20));
  return Math.max(0, backoff.lastMs + waitMs - nowMs);
}
