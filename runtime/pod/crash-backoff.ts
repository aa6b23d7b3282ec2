/**
 * How long a pod that keeps failing waits before it is started again. Kubernetes' rule (kubelet, "CrashLoopBackOff"):
 * the first restart is at once, the next waits 10 s, and each after that twice as long, up to 5 min; a pod that ran for
 * 10 min is well again.
 */
const backoffMsMin = 10_000;
const backoffMsMax = 300_000;
export const backoffResetMs = 600_000;

/** What a pod may ask for in the place of that rule: Docker's, whose first wait is 100 ms. */
const quickMsMax = 60_000;
export const quickResetMs = 10_000;

/**
 * Wait before the next start, milliseconds, after `crashCount` failures in a row.
 * Worked: 1 → 0, 2 → 10 s, 3 → 20 s, 4 → 40 s, 7 → 300 s, 100 → 300 s. With a first wait of the pod's own: twice as long
 * each time, up to a minute. Worked for 100 ms: 1 → 100 ms, 2 → 200 ms, 11 → 60 s.
 */
export function crashBackoffMs(crashCount: number, firstMs?: number): number {
  if (firstMs !== undefined) return Math.min(quickMsMax, firstMs * 2 ** Math.min(Math.max(0, crashCount - 1), 20));
  if (crashCount <= 1) return 0;
  // 2 ** 5 × 10 s is past the bound; a larger exponent would only overflow.
  return Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(crashCount - 2, 5));
}

/**
 * Wait before an image is asked for again after `failureCount` failures in a row. As crashes, but the first wait is
 * 10 s too: a registry that has just refused will hardly have changed its mind.
 */
export const pullBackoffMs = (failureCount: number): number => crashBackoffMs(failureCount + 1);

/** How many crashes in a row count, when one more comes after the pod had been ready for `ranMs`. */
export const nextCrashCount = (crashCount: number, ranMs: number, firstMs?: number): number =>
  ranMs >= (firstMs === undefined ? backoffResetMs : quickResetMs) ? 1 : crashCount + 1;
