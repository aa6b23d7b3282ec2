import type { Clock, Timer } from "@shallop/sdk/internal";

export interface StartTurnsSettings {
  readonly clock: Clock;
  /** So many have theirs at once. */
  readonly atOnce: number;
}

// A guest that is slow to come up holds up nobody else for longer than this.
const turnMsMax = 2_000;

/**
 * Starts that need a new thread, in the order in which they came, a few at once. To make one takes some tenths of a second of processor:
 * where a hundred functions are called from zero, the first would otherwise be there when the last is.
 */
export class StartTurns {
  readonly #settings: StartTurnsSettings;
  readonly #waiting: (() => void)[] = [];
  #under = 0;

  constructor(settings: StartTurnsSettings) {
    this.#settings = settings;
  }

  /** Resolves when it is this one's turn. @returns to be called when it has come up, or will not */
  async take(): Promise<() => void> {
    if (this.#under < this.#settings.atOnce) this.#under++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let timer: Timer | undefined;
    let isOver = false;
    const over = (): void => {
      timer?.cancel();
      if (isOver) return;
      isOver = true;
      this.#next();
    };
    timer = this.#settings.clock.after(turnMsMax, over);
    return over;
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#under--;
    else next();
  }
}
