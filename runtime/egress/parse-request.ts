import type { EgressRequest, KeepAliveWish } from "./egress-protocol.ts";

const hostCharsMax = 260;

/** What a host process asks for, which may have been taken over: undefined when it is nothing that is asked here. */
export function parseRequest(value: unknown): EgressRequest | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { want, host, port, family, keepAlive } = value as Readonly<Record<string, unknown>>;
  if (want === "udp") return family === 4 || family === 6 ? { want, family } : undefined;
  if (typeof host !== "string" || host === "" || host.length > hostCharsMax || host.includes("\0")) return undefined;
  if (want === "addresses") return { want, host };
  if (want !== "tcp" || !isCount(port, 65_535)) return undefined;
  const wish = parseKeepAlive(keepAlive);
  return { want, host, port, ...(wish === undefined ? {} : { keepAlive: wish }) };
}

function parseKeepAlive(value: unknown): KeepAliveWish | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { idleMs, intervalMs, count } = value as Readonly<Record<string, unknown>>;
  const msMax = 2 ** 31 - 1;
  return isCount(idleMs, msMax) && isCount(intervalMs, msMax) && isCount(count, 127)
    ? { idleMs, intervalMs, count }
    : undefined;
}

const isCount = (value: unknown, max: number): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0 && value <= max;
