import type { Clock } from "@shallop/sdk/internal";
import type { OciRuntime } from "./oci-runtime.ts";
import type { PodNames } from "./pod-files.ts";
import type { PodRecord } from "./pod-record.ts";

// After SIGKILL a process ends when the kernel has freed its memory; a second a gigabyte is slow already.
const killedMsMax = 20_000;

/**
 * Ends a container's program: SIGTERM, or what its image says, and the grace, where there is one, then SIGKILL, which is noted. Resolves when it has
 * ended, or 20 s later.
 */
export async function endProgram(
  program: {
    readonly names: PodNames;
    readonly ended: Promise<unknown>;
    readonly record?: Pick<PodRecord, "stopSignal">;
    killed?: true;
  },
  graceMs: number,
  { runtime, clock }: { readonly runtime: OciRuntime; readonly clock: Clock },
): Promise<void> {
  const { names, ended } = program;
  if (graceMs > 0) {
    await runtime.signal(names, program.record?.stopSignal ?? "TERM");
    if (await within(ended, graceMs, clock)) return;
  }
  program.killed = true;
  await runtime.signal(names, "KILL");
  await within(ended, killedMsMax, clock);
}

/** Whether it is done in time. */
async function within(done: Promise<unknown>, deadlineMs: number, clock: Clock): Promise<boolean> {
  const stop = new AbortController();
  const deadline = clock.sleep(deadlineMs, stop.signal).then(
    () => false,
    () => false,
  );
  const isDone = await Promise.race([done.then(() => true), deadline]);
  stop.abort();
  return isDone;
}
