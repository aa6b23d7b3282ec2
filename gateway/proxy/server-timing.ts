/** When answers carry `Server-Timing`: each; those that had to wait for an activation; none but when asked. */
export type ServerTimingMode = "always" | "cold" | "off";

export const isServerTimingMode = (text: string): text is ServerTimingMode =>
  text === "always" || text === "cold" || text === "off";

/**
 * Value of `Server-Timing` (W3C Server Timing): `queue;dur=12.1, activate;dur=11.8, …`, milliseconds. Names and numbers
 * that the format does not take are left out: some come from the pod.
 */
export function formatServerTiming(phasesMs: Readonly<Record<string, number | undefined>>): string {
  const parts: string[] = [];
  for (const [name, durationMs] of Object.entries(phasesMs)) {
    if (durationMs === undefined || !Number.isFinite(durationMs) || durationMs < 0) continue;
    if (/^[a-z][a-z-]{0,30}$/.test(name) && parts.length < phasesMax) {
      parts.push(`${name};dur=${Math.round(durationMs * 1000) / 1000}`);
    }
  }
  return parts.join(", ");
}

// The gateway's own five, and as many of the pod's again.
const phasesMax = 10;
