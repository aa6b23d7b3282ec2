import { type Clock, whenOutOfTime } from "@shallop/sdk/internal";

interface Limits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Of processor, that the process has had in which it is done: while it gets on, and is only starved, it has longer. */
  readonly usedMs?: () => number | undefined;
  readonly signal: AbortSignal;
  /** What is thrown when the time is over. */
  readonly late: (waitedMs: number) => Error;
}

/** What `work` resolves with, in time and while `signal` lets it; the work itself goes on. @throws also `signal.reason` */
export async function within<Result>(
  work: Promise<Result>,
  { clock, timeoutMs, usedMs = () => undefined, signal, late }: Limits,
): Promise<Result> {
  signal.throwIfAborted();
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const beganMs = clock.nowMs();
  const timer = whenOutOfTime({ clock, timeoutMs, usedMs }, () => reject(late(clock.nowMs() - beganMs)));
  const aborted = (): void => reject(signal.reason);
  signal.addEventListener("abort", aborted, { once: true });
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", aborted);
  }
}
