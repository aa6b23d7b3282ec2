import type { Caller, GuestContext } from "../guest-context.ts";
import { Deadline, nowNs, resolutionNs } from "../monotonic-clock.ts";
import { wallNow, wallResolutionNs } from "../wall-clock.ts";
import { whenReady } from "./waiting.ts";

/** wasi:clocks/monotonic-clock@0.3 */
export const monotonicClock = (caller: Caller): object => ({
  now: () => nowNs(caller.context),
  getResolution: () => resolutionNs,
  waitUntil: (whenNs: bigint) => waitUntil(caller.context, whenNs),
  waitFor: (durationNs: bigint) => waitUntil(caller.context, nowNs(caller.context) + durationNs),
});

function waitUntil(context: GuestContext, whenNs: bigint): undefined | Promise<undefined> {
  const deadline = new Deadline(context, whenNs);
  return whenReady(
    context,
    deadline,
    () => undefined,
    () => deadline.stop(),
  );
}

/** wasi:clocks/system-clock@0.3 */
export const systemClock = (caller: Caller): object => ({
  now: () => wallNow(caller.context),
  getResolution: () => BigInt(wallResolutionNs),
});

/** wasi:clocks/timezone@0.3: a pod lives in UTC wherever its node stands, as containers do. */
export const timezone = (_caller: Caller): object => ({
  ianaId: () => "UTC",
  utcOffset: () => 0n,
  toDebugString: () => "UTC",
});

/** wasi:clocks/types@0.3 has a type and no function. */
export const clocksTypes = (_caller: Caller): object => ({});
