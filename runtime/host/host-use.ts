import type { HostCounters } from "../pod/pod-runtime.ts";
import { breachCodes } from "./breach-counts.ts";

/** What a host process holds, and what has happened in it since its start. */
export type HostUse = Omit<HostCounters, "namespace">;

/** What a process that may have been taken over says of itself; undefined where that is not of the form. */
export function checkedUse(said: HostUse): HostUse | undefined {
  const { threads, instances, requests, cpuMs, memoryBytes, breaches } = said;
  if (![threads, instances, requests, cpuMs, memoryBytes].every(isAmount)) return undefined;
  const met: Record<string, number> = {};
  for (const code of breachCodes) {
    const count: unknown = (breaches as Partial<HostUse["breaches"]> | undefined)?.[code];
    if (isAmount(count)) met[code] = count;
  }
  return { threads, instances, requests, cpuMs, memoryBytes, breaches: met };
}

/** What such a process calls a number. */
export const isAmount = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;
