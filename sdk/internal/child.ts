import type { SendHandle } from "node:child_process";
import type { Server } from "node:net";

/**
 * How a process that `shallop up` starts talks to it: over the IPC channel it says `ready` once, with what is reachable
 * where; when the channel closes the supervisor is gone, and the process stops itself so that the next `shallop up`
 * finds its ports and files free.
 */
export interface ReadyMessage {
  readonly type: "ready";
  /** Addresses and other facts by name, shown by `shallop up` and `shallop status`. */
  readonly facts: Readonly<Record<string, string>>;
}

export function announceReady(facts: Readonly<Record<string, string>>): void {
  const message: ReadyMessage = { type: "ready", facts };
  process.send?.(message);
}

/** A listening socket that the supervisor is to keep: sent with the handle of the server. */
export interface KeepSocketMessage {
  readonly type: "keep-socket";
  readonly name: string;
}

/** Another process has taken over: this one finishes what it has, and lets nobody notice. */
export interface RetireMessage {
  readonly type: "retire";
}

/** Asks the supervisor to put a new process in the place of this one. */
export interface ReplaceMessage {
  readonly type: "replace";
}

/** SIGHUP has the supervisor replace this process; without a supervisor it does what it always does. */
export function replaceOnHangup(): void {
  const message: ReplaceMessage = { type: "replace" };
  if (process.channel !== undefined) process.on("SIGHUP", () => process.send?.(message));
}

/** Where a process finds the sockets that were kept for it: `NAME=FD`, with commas between them. */
export const keptSocketsVariable = "SHALLOP_KEPT_SOCKETS";

/** The sockets that were kept for this process, by name. */
export function keptSockets(text: string | undefined): ReadonlyMap<string, number> {
  const pairs = (text ?? "").split(",").map((pair) => pair.split("="));
  return new Map(pairs.flatMap(([name = "", fd = ""]) => (/^\d{1,4}$/.test(fd) ? [[name, Number(fd)]] : [])));
}

/** Gives the supervisor a listening socket to keep, so that those who connect wait while this process is replaced. */
export function keepSocket(name: string, server: Server): void {
  const message: KeepSocketMessage = { type: "keep-socket", name };
  // Not the server: the supervisor would accept connections, too. Its handle is what `server.listen(handle)` takes.
  const { _handle: handle } = server as unknown as { readonly _handle: SendHandle };
  process.send?.(message, handle);
}

/** Aborted, with this reason, when another process has taken over. */
export class Retired extends Error {}

/**
 * A signal that is aborted when this process is asked to stop: SIGTERM, SIGINT, or the end of its supervisor.
 * A second SIGINT ends the process at once.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (reason: string) => (): void => controller.abort(new Error(`stopped by ${reason}`));
  process.once("SIGTERM", stop("SIGTERM"));
  process.once("SIGINT", () => {
    stop("SIGINT")();
    process.once("SIGINT", () => process.exit(130));
  });
  if (process.channel !== undefined) {
    process.once("disconnect", stop("the end of its supervisor"));
    process.on("message", (message: RetireMessage | null) => {
      if (message?.type === "retire") controller.abort(new Retired("another process has taken over"));
    });
  }
  return controller.signal;
}

/** Resolves when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
