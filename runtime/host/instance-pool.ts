import type { Clock, Timer } from "@shallop/sdk/internal";
import type { Instance, LoadedComponent } from "../component/engine.ts";
import { GuestFault } from "../component/guest-fault.ts";
import type { GuestSettings } from "../component/wasi/guest-context.ts";

export interface InstancePoolOptions {
  readonly component: LoadedComponent;
  /** Makes those of one instance. */
  readonly settings: () => GuestSettings;
  readonly sizeMax: number;
  /** Told when a guest starts ahead of a request, and when it has. */
  readonly starting?: (isStarting: boolean) => void;
  /** Told once, when the first instance that was made ahead is there, or why there is none. */
  readonly begun?: (fault: GuestFault | undefined) => void;
  readonly clock: Clock;
}

// Making an instance holds the thread for some milliseconds: further ones wait until requests have had their turn.
const furtherDelayMs = 15;

/** Guests start where they can be interrupted: see interrupt-thread.ts. */
function inMicrotask(run: () => void): void {
  // Not `queueMicrotask`, which Node counts too.
  void Promise.resolve().then(run);
}

/** Who waits for an instance. */
interface Taker {
  readonly starting: ((isStarting: boolean) => void) | undefined;
  readonly resolve: (instance: Promise<Instance> | Instance) => void;
  readonly reject: (error: GuestFault) => void;
}

/**
 * Fresh instances, some of them made ahead of time. Each serves one request and is given back to its component; the next
 * one is made when the thread has nothing better to do. A crowd of requests is served one after the other: those before that
 * need not wait for anything are answered by then, and have left theirs. At most one is made in each turn of the event loop.
 */
export class InstancePool {
  readonly #component: LoadedComponent;
  readonly #settings: () => GuestSettings;
  readonly #sizeMax: number;
  readonly #starting: ((isStarting: boolean) => void) | undefined;
  #begun: InstancePoolOptions["begun"];
  readonly #ready: Instance[] = [];
  readonly #clock: Clock;
  #making = false;
  #timer: Timer | undefined;
  readonly #takers: Taker[] = [];
  /** An instance was made in this turn of the event loop. */
  #hasMade = false;
  #closed = false;
  #failed = false;

  constructor(options: InstancePoolOptions) {
    this.#component = options.component;
    this.#settings = options.settings;
    this.#sizeMax = options.sizeMax;
    this.#starting = options.starting;
    this.#begun = options.begun;
    this.#clock = options.clock;
  }

  get size(): number {
    return this.#ready.length;
  }

  /** One that waits; undefined when there is none, or when others wait. */
  takeNow(): Instance | undefined {
    return this.#takers.length === 0 ? this.#takeReady() : undefined;
  }

  /**
   * A fresh instance: one that waits, in its turn, or a new one; `starting` is told when its guest starts, and when it has.
   * @throws GuestFault when the guest cannot be initialised
   */
  take(starting?: (isStarting: boolean) => void): Promise<Instance> {
    return new Promise((resolve, reject) => {
      this.#takers.push({ starting, resolve, reject });
      setImmediate(this.#serveNext);
    });
  }

  /** Makes what is missing, one at a time, the first at once and each further one after a pause. */
  refill(): void {
    if (this.#making || this.#closed || this.#failed || this.#ready.length >= this.#sizeMax) return;
    this.#making = true;
    if (this.#ready.length === 0) this.#nextTurn(() => void this.#make());
    else this.#timer = this.#clock.after(furtherDelayMs, () => inMicrotask(() => void this.#make()));
  }

  /** One beyond those that wait already: of a component's first instance nothing is kept when it is over, of the next one is. */
  ripen(): void {
    if (this.#making || this.#closed || this.#failed) return;
    this.#making = true;
    this.#nextTurn(() => void this.#make());
  }

  /** The guest's start, ahead of a request, was taken off the thread: a request shall meet what it does. */
  startFailed(): void {
    this.#making = false;
    this.#failed = true;
    this.#tellBegun(undefined);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const instance of this.#ready.splice(0)) instance.dispose();
    for (const { reject } of this.#takers.splice(0)) reject(new GuestFault("GUEST_FAILED", "the pod has ended"));
  }

  #nextTurn(run: () => void): void {
    setImmediate(() => inMicrotask(run));
  }

  /** Called once for each taker, with a turn for what the one before has left to do in between. */
  readonly #serveNext = (): void => {
    if (this.#takers.length === 0) return;
    const ready = this.#takeReady();
    if (ready !== undefined) return this.#takers.shift()?.resolve(ready);
    if (this.#hasMade) return void setImmediate(this.#serveNext);
    this.#hasMade = true;
    // First, because a guest's start that is interrupted from outside takes this stack with it.
    setImmediate(() => {
      this.#hasMade = false;
    });
    const taker = this.#takers.shift();
    if (taker !== undefined) inMicrotask(() => taker.resolve(this.#instantiate(taker.starting)));
  };

  /** One that was made ahead, or one that the component has had before. */
  #takeReady(): Instance | undefined {
    return this.#ready.pop() ?? this.#component.takeReady?.(this.#settings);
  }

  #instantiate(starting: ((isStarting: boolean) => void) | undefined): Promise<Instance> {
    starting?.(true);
    const made = this.#component.instantiate(this.#settings());
    starting?.(false);
    return made;
  }

  #tellBegun(fault: GuestFault | undefined): void {
    this.#begun?.(fault);
    this.#begun = undefined;
  }

  async #make(): Promise<void> {
    try {
      const instance = await this.#instantiate(this.#starting);
      if (this.#closed) instance.dispose();
      else this.#ready.push(instance);
      this.#tellBegun(undefined);
    } catch (error) {
      // The next request meets the same error and tells it; until then there is nothing to be made.
      this.#failed = true;
      this.#tellBegun(error instanceof GuestFault ? error : undefined);
    }
    this.#making = false;
    this.refill();
  }
}
