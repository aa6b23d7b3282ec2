import type { Clock, Timer } from "@shallop/sdk/internal";

/** How near the end of its memory the process is. */
export type HeapPressure = "none" | "close" | "refuse";

// Envoy's advice for an edge: stop keeping connections at 90 %, stop taking requests at 95 %.
const closeShare = 0.9;
const refuseShare = 0.95;
const intervalMs = 1_000;

/** Looks each second at how full the heap is. */
export class HeapGuard {
  readonly #ticker: Timer;
  #pressure: HeapPressure = "none";

  /** `heap` gives the share of the heap's limit that is in use, 0 to 1. */
  constructor(clock: Clock, heap: () => number) {
    this.#ticker = clock.every(intervalMs, () => {
      const used = heap();
      this.#pressure = used >= refuseShare ? "refuse" : used >= closeShare ? "close" : "none";
    });
  }

  get pressure(): HeapPressure {
    return this.#pressure;
  }

  close(): void {
    this.#ticker.cancel();
  }
}
