import type { Clock, Timer } from "../clock.ts";

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that moves only when told to. Timers run in the order of their time, then of their making. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #due: Due[] = [];
  readonly #epochMs: number;

  constructor(epochMs = Date.UTC(2026, 0, 1)) {
    this.#epochMs = epochMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#epochMs + this.#nowMs;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const timer = this.after(delayMs, resolve);
      signal?.addEventListener("abort", () => {
        timer.cancel();
        reject(signal.reason as Error);
      });
    });
  }

  after(delayMs: number, run: () => void): Timer {
    const due: Due = { atMs: this.#nowMs + delayMs, order: this.#order++, run };
    this.#due.push(due);
    return { cancel: () => void (this.#due = this.#due.filter((other) => other !== due)) };
  }

  every(intervalMs: number, run: () => void): Timer {
    let stopped = false;
    let next = this.after(intervalMs, tick.bind(this));
    function tick(this: FakeClock): void {
      run();
      if (!stopped) next = this.after(intervalMs, tick.bind(this));
    }
    return {
      cancel: () => {
        stopped = true;
        next.cancel();
      },
    };
  }

  /** Lets `durationMs` pass: runs what falls due, and lets promises settle between timers. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      await settle();
      const next = this.#due.filter((due) => due.atMs <= endMs).sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((due) => due !== next);
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Lets every promise that can settle without time passing do so. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
