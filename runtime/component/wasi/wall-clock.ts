import type { GuestContext } from "./guest-context.ts";

/** wasi:clocks/wall-clock@0.2, in whole milliseconds. */
export const wallClock = (context: GuestContext): object => ({
  now: () => {
    const wallMs = Math.floor(context.settings.clock.wallMs());
    return { seconds: BigInt(Math.floor(wallMs / 1000)), nanoseconds: (wallMs % 1000) * 1_000_000 };
  },
  resolution: () => ({ seconds: 0n, nanoseconds: 1_000_000 }),
});
