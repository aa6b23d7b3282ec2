import { once } from "node:events";
import { renameSync } from "node:fs";
import type { Clock } from "@shallop/sdk/internal";
import { PodListener } from "./pod-listener.ts";
import type { ThreadClaim } from "./thread-claim.ts";
import type { ThreadCommand, ThreadStart } from "./thread-protocol.ts";

// To close a socket takes as long as to answer a request; whoever has connected waits for that.
const closeDelayMs = 100;

/** The sockets of pods that a thread at rest stands by for. */
export class StandbySockets {
  readonly #claim: ThreadClaim;
  readonly #clock: Clock;
  readonly #woken: (start: ThreadStart, listener: PodListener) => void;
  readonly #listeners = new Map<string, PodListener>();
  /** Those that are about to be closed. */
  #over: PodListener[] = [];

  /** `woken`: somebody has connected to this pod, and waits; the thread has been claimed for it. */
  constructor(claim: ThreadClaim, clock: Clock, woken: (start: ThreadStart, listener: PodListener) => void) {
    this.#claim = claim;
    this.#clock = clock;
    this.#woken = woken;
  }

  /** A socket that nobody listens for any more is closed with those of the other pods. */
  leave(listener: PodListener): void {
    this.#over.push(listener);
  }

  async listen({ start, listenAt, socketPath }: Extract<ThreadCommand, { type: "stand-by" }>): Promise<void> {
    const listener = new PodListener();
    this.#listeners.set(start.uid, listener);
    listener.server.once("connection", () => this.#connected(start, listener));
    await once(listener.server.listen(listenAt), "listening");
    // What another thread has left there is replaced.
    if (this.#listeners.get(start.uid) === listener) renameSync(listenAt, socketPath);
  }

  close(uid: string): void {
    this.#listeners.get(uid)?.close();
    this.#listeners.delete(uid);
  }

  closeAll(): void {
    for (const uid of this.#listeners.keys()) this.close(uid);
  }

  #connected(start: ThreadStart, listener: PodListener): void {
    // Whoever has connected to another pod's finds nobody there, and asks the node agent.
    if (!this.#claim.take()) return listener.close();
    this.#listeners.delete(start.uid);
    // Those of now: by then the thread may be at rest again, and listen for others.
    const over = (this.#over = [...this.#listeners.values()]);
    this.#listeners.clear();
    this.#clock.after(closeDelayMs, () => {
      for (const one of over) one.close();
    });
    this.#woken(start, listener);
  }
}
