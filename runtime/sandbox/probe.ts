import { connect } from "node:net";
import type { Clock } from "@shallop/sdk/internal";
import { type GatedAddress, passGate } from "@shallop/sdk/wire";

// A local connection is refused or made within a millisecond; one whose packets are dropped is tried anew.
const attemptMs = 250;
// Short against the time any server takes to start, long against the microseconds an attempt costs.
const pauseMs = 3;

export interface ProbedAddress extends GatedAddress {
  /** A unix socket on the way there. */
  readonly gate?: string | undefined;
}

/** Resolves when something listens: a TCP connection was made. Rejects with the signal's reason when aborted. */
export async function untilConnectable(address: ProbedAddress, clock: Clock, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    if (await canConnect(address, signal)) return;
    await clock.sleep(pauseMs, signal);
  }
}

function canConnect({ gate, host, port }: ProbedAddress, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const target = gate === undefined ? { host, port } : { path: gate };
    const socket = connect({ ...target, timeout: attemptMs });
    const done = (connected: boolean) => (): void => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
      resolve(connected);
    };
    const abort = done(false);
    signal.addEventListener("abort", abort, { once: true });
    if (gate === undefined) socket.once("connect", done(true));
    else passGate(socket, { host, port }).then(done(true), done(false));
    socket.once("timeout", done(false));
    socket.once("error", done(false));
  });
}
