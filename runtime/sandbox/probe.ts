import { connect } from "node:net";
import type { Clock } from "@shallop/sdk/internal";

// A local connection is refused or made within a millisecond; one whose packets are dropped is tried anew.
const attemptMs = 250;
// Short against the time any server takes to start, long against the microseconds an attempt costs.
const pauseMs = 3;

/** Resolves when something listens: a TCP connection was made. Rejects with the signal's reason when aborted. */
export async function untilConnectable(host: string, port: number, clock: Clock, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    if (await canConnect(host, port, signal)) return;
    await clock.sleep(pauseMs, signal);
  }
}

function canConnect(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: attemptMs });
    const done = (connected: boolean) => (): void => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
      resolve(connected);
    };
    const abort = done(false);
    signal.addEventListener("abort", abort, { once: true });
    socket.once("connect", done(true));
    socket.once("timeout", done(false));
    socket.once("error", done(false));
  });
}
