import type { Clock } from "@shallop/sdk/internal";

// A terminal sends Ctrl-C to the command and to this process, and the command hands it on: both are one wish.
const sameWishMs = 500;

/** Is aborted by SIGINT, SIGTERM or SIGHUP; a second Ctrl-C ends this process at once. */
export function stopOnSignals(clock: Clock): AbortSignal {
  const controller = new AbortController();
  let firstMs: number | undefined;
  const stop = (exitCode: number) => (): void => {
    if (firstMs !== undefined && clock.nowMs() - firstMs > sameWishMs) process.exit(exitCode);
    firstMs ??= clock.nowMs();
    controller.abort(new Error("stopped"));
  };
  process.on("SIGINT", stop(130));
  process.on("SIGTERM", stop(143));
  process.on("SIGHUP", stop(129));
  return controller.signal;
}
