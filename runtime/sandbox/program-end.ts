import type { Clock } from "@shallop/sdk/internal";
import type { OciRuntime } from "./oci-runtime.ts";
import type { PodNames } from "./pod-files.ts";

// After SIGKILL a process ends when the kernel has freed its memory; a second a gigabyte is slow already.
const killedMsMax = 20_000;

/** Ends a container's program: SIGTERM and the grace, where there is one, then SIGKILL. Resolves when it has ended, or 20 s later. */
export async function endProgram(
  { names, ended }: { readonly names: PodNames; readonly ended: Promise<unknown> },
  graceMs: number,
  { runtime, clock }: { readonly runtime: OciRuntime; readonly clock: Clock },
): Promise<void> {
  if (graceMs > 0) {
    await runtime.signal(names, "TERM");
    await within(ended, graceMs, clock);
  }
  await runtime.signal(names, "KILL");
  await within(ended, killedMsMax, clock);
}

async function within(done: Promise<unknown>, deadlineMs: number, clock: Clock): Promise<void> {
  const stop = new AbortController();
  const deadline = clock.sleep(deadlineMs, stop.signal).catch(() => undefined);
  await Promise.race([done, deadline]);
  stop.abort();
}
