import type { Clock } from "@shallop/sdk/internal";

// A guest may meet a limit with every request, and a person reads events: one of a kind in this time says it.
const pauseMs = 10_000;

/** Tells that limits were met: each kind at once, and then once in a while for as long as it goes on. */
export class BreachNotices {
  readonly #clock: Clock;
  readonly #tell: (reason: string, message: string) => void;
  /** By reason: what has happened again since it was told. */
  readonly #pausing = new Map<string, string | undefined>();

  constructor(clock: Clock, tell: (reason: string, message: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** `code`: `GUEST_MEMORY` is told as `GuestMemory`. */
  met(code: string, message: string): void {
    const reason = code.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (this.#pausing.has(reason)) this.#pausing.set(reason, message);
    else this.#say(reason, message);
  }

  #say(reason: string, message: string): void {
    this.#pausing.set(reason, undefined);
    this.#tell(reason, message);
    this.#clock.after(pauseMs, () => {
      const again = this.#pausing.get(reason);
      this.#pausing.delete(reason);
      if (again !== undefined) this.#say(reason, again);
    });
  }
}
