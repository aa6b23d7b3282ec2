import { createConnection, type Socket } from "node:net";
import type { Clock } from "@shallop/sdk/internal";

// A fresh process listens after 100 ms; a loaded machine may take far longer.
const connectTimeoutMs = 20_000;
const connectPauseMs = 2;

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

/** To a process that was just started. */
export async function connectStarting(path: string, clock: Clock): Promise<Socket> {
  const startedMs = clock.nowMs();
  for (;;) {
    try {
      return await connectUnix(path);
    } catch (error) {
      if (clock.nowMs() - startedMs > connectTimeoutMs) throw error;
      await clock.sleep(connectPauseMs);
    }
  }
}
