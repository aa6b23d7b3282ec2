import { createConnection, type Socket } from "node:net";
import type { Clock } from "@shallop/sdk/internal";

// A fresh process listens after 100 ms, on a machine that is starved after a minute; of one that ends its starter hears.
const connectTimeoutMs = 120_000;
const connectPauseMsMin = 2;
// Who tries more often than this takes from a process that is slow to start what it waits for.
const connectPauseMsMax = 50;
/** Of the time that it has taken so far: what a start may take longer because it was looked for too early. */
const connectPauseShare = 1 / 20;

export function connectUnix(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/** To a process that was just started; rejects as `failed` does, when that has ended. */
export function connectStarting(path: string, clock: Clock, failed: Promise<never>): Promise<Socket> {
  const over = new AbortController();
  failed.catch(() => over.abort());
  return Promise.race([connectWithin(path, clock, over.signal), failed]);
}

async function connectWithin(path: string, clock: Clock, over: AbortSignal): Promise<Socket> {
  const startedMs = clock.nowMs();
  for (;;) {
    try {
      return await connectUnix(path);
    } catch (error) {
      const waitedMs = clock.nowMs() - startedMs;
      if (waitedMs > connectTimeoutMs) throw error;
      await clock.sleep(Math.min(connectPauseMsMax, Math.max(connectPauseMsMin, waitedMs * connectPauseShare)), over);
    }
  }
}
