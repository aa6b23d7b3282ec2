import type { Caller } from "./guest-context.ts";

const utc = { utcOffset: 0, name: "UTC", inDaylightSavingTime: false } as const;

/** wasi:clocks/timezone@0.2: a pod lives in UTC wherever its node stands, as containers do. */
export const timezone = (_caller: Caller): object => ({ display: () => utc, utcOffset: () => utc.utcOffset });
