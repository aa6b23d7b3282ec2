import type { Caller, GuestContext } from "./guest-context.ts";

/** Of the wall clock; guests see whole milliseconds. */
export const wallResolutionNs = 1_000_000;

/** Since 1970. */
export function wallNow(context: GuestContext): { readonly seconds: bigint; readonly nanoseconds: number } {
  const wallMs = Math.floor(context.settings.clock.wallMs());
  return { seconds: BigInt(Math.floor(wallMs / 1000)), nanoseconds: (wallMs % 1000) * wallResolutionNs };
}

/** wasi:clocks/wall-clock@0.2, in whole milliseconds. */
export const wallClock = (caller: Caller): object => ({
  now: () => wallNow(caller.context),
  resolution: () => ({ seconds: 0n, nanoseconds: wallResolutionNs }),
});
