import type { Caller, GuestContext } from "./guest-context.ts";
import { Pollable } from "./io-poll.ts";
import { Listeners, type Waitable } from "./waitable.ts";

// Nanosecond clocks are what cache-timing attacks measure with; a tenth of a millisecond serves programs well enough.
export const resolutionNs = 100_000n;
// What one timer of the host can wait; a longer one is set again. setTimeout counts in 31 bits.
const timerMsMax = 2 ** 31 - 1;

export const nowNs = (context: GuestContext): bigint => {
  const exact = BigInt(Math.round(context.settings.clock.nowMs() * 1e6));
  return exact - (exact % resolutionNs);
};

/** Ready from some moment on. */
export class Deadline implements Waitable {
  readonly #context: GuestContext;
  readonly #whenNs: bigint;
  readonly #listeners = new Listeners();
  #cancel: (() => void) | undefined;

  constructor(context: GuestContext, whenNs: bigint) {
    this.#context = context;
    this.#whenNs = whenNs;
  }

  ready(): boolean {
    return nowNs(this.#context) >= this.#whenNs;
  }

  subscribe(listener: () => void): () => void {
    this.#arm();
    return this.#listeners.add(listener);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#listeners.clear();
  }

  #arm(): void {
    if (this.#cancel !== undefined || this.#context.ended) return;
    const restMs = Math.min(timerMsMax, Number((this.#whenNs - nowNs(this.#context)) / 1_000_000n) + 1);
    const timer = this.#context.settings.clock.after(Math.max(0, restMs), () => {
      this.#cancel = undefined;
      undoEnd();
      if (this.ready()) this.#listeners.notify();
      else this.#arm();
    });
    const undoEnd = this.#context.onEnd(() => this.stop());
    this.#cancel = () => {
      timer.cancel();
      undoEnd();
    };
  }
}

function pollableAt(context: GuestContext, whenNs: bigint): Pollable {
  const deadline = new Deadline(context, whenNs);
  return new Pollable(context, deadline, () => deadline.stop());
}

/** wasi:clocks/monotonic-clock@0.2 */
export const monotonicClock = (caller: Caller): object => ({
  now: () => nowNs(caller.context),
  resolution: () => resolutionNs,
  subscribeInstant: (whenNs: bigint) => pollableAt(caller.context, whenNs),
  subscribeDuration: (durationNs: bigint) => pollableAt(caller.context, nowNs(caller.context) + durationNs),
});
