import type { Clock } from "@shallop/sdk/internal";

interface Limits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What is thrown when the time is over. */
  readonly late: () => Error;
}

/** What `work` resolves with, in time and while `signal` lets it; the work itself goes on. @throws also `signal.reason` */
export async function within<Result>(
  work: Promise<Result>,
  { clock, timeoutMs, signal, late }: Limits,
): Promise<Result> {
  signal.throwIfAborted();
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const timer = clock.after(timeoutMs, () => reject(late()));
  const aborted = (): void => reject(signal.reason);
  signal.addEventListener("abort", aborted, { once: true });
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", aborted);
  }
}
