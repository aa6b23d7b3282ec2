import type { Socket } from "node:net";
import type { KeepAlive } from "../../egress/egress.ts";

const secondNs = 1_000_000_000n;

/** Linux's own. */
export const defaultKeepAlive: KeepAlive = { enabled: false, idleSeconds: 7200, intervalSeconds: 75, count: 9 };

// MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT of Linux: "implementations may adjust the value".
const secondsMax = 32_767n;
const countMax = 127;

/** Nanoseconds → seconds that the system takes, 1 at least. */
export function keepAliveSeconds(durationNs: bigint): number {
  const seconds = (durationNs + secondNs - 1n) / secondNs;
  return Number(seconds > secondsMax ? secondsMax : seconds);
}

export const keepAliveCount = (count: number): number => Math.min(count, countMax);

export const durationNs = (seconds: number): bigint => BigInt(seconds) * secondNs;

export function applyKeepAlive(socket: Socket, { enabled, idleSeconds, intervalSeconds, count }: KeepAlive): void {
  socket.setKeepAlive(enabled, idleSeconds * 1000, intervalSeconds * 1000, count);
}
