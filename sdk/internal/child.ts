/**
 * How a process that `shallop up` starts talks to it: over the IPC channel it says `ready` once, with what is reachable
 * where; when the channel closes the supervisor is gone, and the process stops itself so that the next `shallop up`
 * finds its ports and files free.
 */
export interface ReadyMessage {
  readonly type: "ready";
  /** Addresses and other facts by name, shown by `shallop up` and `shallop status`. */
  readonly facts: Readonly<Record<string, string>>;
}

export function announceReady(facts: Readonly<Record<string, string>>): void {
  const message: ReadyMessage = { type: "ready", facts };
  process.send?.(message);
}

/**
 * A signal that is aborted when this process is asked to stop: SIGTERM, SIGINT, or the end of its supervisor.
 * A second SIGINT ends the process at once.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (reason: string) => (): void => controller.abort(new Error(`stopped by ${reason}`));
  process.once("SIGTERM", stop("SIGTERM"));
  process.once("SIGINT", () => {
    stop("SIGINT")();
    process.once("SIGINT", () => process.exit(130));
  });
  if (process.channel !== undefined) process.once("disconnect", stop("the end of its supervisor"));
  return controller.signal;
}

/** Resolves when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
