import type { Clock } from "@shallop/sdk/internal";

// After a crowd there are as many as it has needed, so that the next one finds them, as long as their memories come to no more
// than a small pod's limit.
const countMin = 8;
const countMax = 64;
const bytesMax = 64 * 1024 * 1024;
// Those that nobody has needed for as long go. The last one stays: the next request shall not have to wait for its instance.
export const idleMs = 10_000;

/** Forks that wait for their next request: as many as requests have lately needed at once. */
export class KeptForks<Fork> {
  readonly #drop: (fork: Fork) => void;
  readonly #forks: Fork[] = [];
  /** How many have waited at any moment since they were last counted. */
  #unneeded = 0;
  #isTimed = false;

  /** `drop`: for one that is not needed any more. */
  constructor(drop: (fork: Fork) => void) {
    this.#drop = drop;
  }

  get size(): number {
    return this.#forks.length;
  }

  /** The one that was used last, so that the others become idle. */
  take(): Fork | undefined {
    const fork = this.#forks.pop();
    if (this.#unneeded > this.#forks.length) this.#unneeded = this.#forks.length;
    return fork;
  }

  /** For one whose memories come to so many bytes. */
  hasRoomFor(byteLength: number): boolean {
    const count = this.#forks.length;
    return count < countMin || (count < countMax && (count + 1) * byteLength <= bytesMax);
  }

  /** Nobody needs them for now: one stays, if there is one. */
  rest(): Fork | undefined {
    for (const fork of this.#forks.splice(0, this.#forks.length - 1)) this.#drop(fork);
    return this.#forks[0];
  }

  /** All that wait. */
  drop(): void {
    for (const fork of this.#forks.splice(0)) this.#drop(fork);
  }

  keep(fork: Fork, clock: Clock): void {
    this.#forks.push(fork);
    if (!this.#isTimed && this.#forks.length > 1) this.#countLater(clock);
  }

  #countLater(clock: Clock): void {
    this.#isTimed = true;
    this.#unneeded = this.#forks.length;
    clock.after(idleMs, () => {
      this.#isTimed = false;
      // Forks are taken from the end: those in front are the ones that no request has come to.
      const count = Math.min(this.#unneeded, this.#forks.length - 1);
      for (const fork of this.#forks.splice(0, Math.max(0, count))) this.#drop(fork);
      if (this.#forks.length > 1) this.#countLater(clock);
    });
  }
}
