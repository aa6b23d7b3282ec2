import type { Duplex } from "node:stream";
import { assert, type Clock, type Timer } from "@shallop/sdk/internal";

export interface NodePulseOptions {
  readonly clock: Clock;
  /** Asks the node's agent for any sign of life, within `pulseAnswerMs`. */
  readonly ask: () => Promise<void>;
}

// Five questions without an answer, each with time enough for an agent whose machine is busy. A request that was in a
// tunnel of a machine that vanished goes on elsewhere after so long, where TCP alone would wait for a quarter of an hour.
const pulseMs = 1_000;
export const pulseAnswerMs = 2_000;
const missedMax = 5;
// A node that is still silent then is forgotten: whoever has a request for it finds out anew.
const missedForgotten = 60;

assert(pulseAnswerMs < pulseMs * missedMax);

/**
 * Feels the pulse of a node of another machine while tunnels lead there. A machine that is cut off says nothing, so that
 * requests in its tunnels would wait without end, and new ones would dial in vain: when the pulse has stopped, its
 * tunnels are ended, and it counts as lost until it answers again.
 */
export class NodePulse {
  readonly #options: NodePulseOptions;
  readonly #tunnels = new Set<Duplex>();
  /** Questions since the last answer. Not time: a gateway that was stopped for a while has not asked meanwhile. */
  #unanswered = 0;
  #isLost = false;
  #timer: Timer | undefined;

  constructor(options: NodePulseOptions) {
    this.#options = options;
  }

  /** It has not answered for so long that nobody should wait for it. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Nobody asks: there is no tunnel, and nothing is known of the node. */
  get isIdle(): boolean {
    return this.#timer === undefined;
  }

  /** A tunnel through the node was made. It is destroyed when the node is lost. */
  watch(tunnel: Duplex): void {
    this.#tunnels.add(tunnel);
    tunnel.once("close", () => this.#tunnels.delete(tunnel));
    this.#timer ??= this.#options.clock.every(pulseMs, () => this.#beat());
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#answered();
  }

  #beat(): void {
    if (this.#tunnels.size === 0 && (!this.#isLost || this.#unanswered >= missedForgotten)) return this.close();
    this.#isLost = this.#unanswered >= missedMax;
    if (this.#isLost) {
      for (const tunnel of this.#tunnels) tunnel.destroy(new Error("the node does not answer any more"));
    }
    this.#unanswered++;
    this.#options.ask().then(
      () => this.#answered(),
      () => undefined,
    );
  }

  #answered(): void {
    this.#unanswered = 0;
    this.#isLost = false;
  }
}
