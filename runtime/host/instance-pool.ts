import type { Clock, Timer } from "@shallop/sdk/internal";
import type { Instance, LoadedComponent } from "../component/engine.ts";
import type { GuestSettings } from "../component/wasi/guest-context.ts";

export interface InstancePoolOptions {
  readonly component: LoadedComponent;
  /** Makes those of one instance. */
  readonly settings: () => GuestSettings;
  readonly sizeMax: number;
  readonly clock: Clock;
}

// Making an instance holds the thread for some milliseconds: further ones wait until requests have had their turn.
const furtherDelayMs = 15;

/**
 * Fresh instances made ahead of time. Each serves one request and is dropped; the next one is made when the thread has
 * nothing better to do, so a request pays for an instance only when they come faster than that.
 */
export class InstancePool {
  readonly #component: LoadedComponent;
  readonly #settings: () => GuestSettings;
  readonly #sizeMax: number;
  readonly #ready: Instance[] = [];
  readonly #clock: Clock;
  #making = false;
  #timer: Timer | undefined;
  #closed = false;
  #failed = false;

  constructor(options: InstancePoolOptions) {
    this.#component = options.component;
    this.#settings = options.settings;
    this.#sizeMax = options.sizeMax;
    this.#clock = options.clock;
  }

  get size(): number {
    return this.#ready.length;
  }

  /** A fresh instance: one that waits, or a new one. @throws GuestFault when the guest cannot be initialised */
  async take(): Promise<Instance> {
    const waiting = this.#ready.pop();
    return waiting ?? this.#component.instantiate(this.#settings());
  }

  /** Makes what is missing, one at a time, the first at once and each further one after a pause. */
  refill(): void {
    if (this.#making || this.#closed || this.#failed || this.#ready.length >= this.#sizeMax) return;
    this.#making = true;
    if (this.#ready.length === 0) setImmediate(() => void this.#make());
    else this.#timer = this.#clock.after(furtherDelayMs, () => void this.#make());
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const instance of this.#ready.splice(0)) instance.dispose();
  }

  async #make(): Promise<void> {
    try {
      const instance = await this.#component.instantiate(this.#settings());
      if (this.#closed) instance.dispose();
      else this.#ready.push(instance);
    } catch {
      // The next request meets the same error and tells it; until then there is nothing to be made.
      this.#failed = true;
    }
    this.#making = false;
    this.refill();
  }
}
