import type { Clock, Timer } from "@shallop/sdk/internal";

// A process without pods stays this long whoever it is: what is compiled in it makes the next start fast.
const idleMs = 180_000;
// The last ones stay longer: a function that is asked a few times an hour shall find its process. 60 MB each.
const keptMax = 4;
const keptMs = 3_600_000;

/** Processes that have no pods for now: which of them stay, and how long. */
export class IdleHosts<Host extends object> {
  readonly #clock: Clock;
  readonly #end: (host: Host) => void;
  readonly #timers = new Map<Host, Timer>();
  /** Those that stay longer; the one that has been idle for longest first. */
  readonly #kept = new Set<Host>();

  /** `end` is called once for each that is not needed any more. */
  constructor(clock: Clock, end: (host: Host) => void) {
    this.#clock = clock;
    this.#end = end;
  }

  /** It has no pods any more. */
  idle(host: Host): void {
    this.used(host);
    this.#after(host, idleMs, () => this.#keep(host));
  }

  /** It has pods, or is gone. */
  used(host: Host): void {
    this.#timers.get(host)?.cancel();
    this.#timers.delete(host);
    this.#kept.delete(host);
  }

  close(): void {
    for (const host of this.#timers.keys()) this.used(host);
  }

  #keep(host: Host): void {
    this.#kept.add(host);
    this.#after(host, keptMs, () => this.#over(host));
    const [longest] = this.#kept;
    if (this.#kept.size > keptMax && longest !== undefined) this.#over(longest);
  }

  #over(host: Host): void {
    this.used(host);
    this.#end(host);
  }

  #after(host: Host, delayMs: number, run: () => void): void {
    this.#timers.set(host, this.#clock.after(delayMs, run));
  }
}
