import type { Clock } from "@shallop/sdk/internal";
import { GuestFault } from "../component/guest-fault.ts";
import type { GuestRequest, GuestResponse, Instance } from "../component/engine.ts";
import type { InstanceSource } from "./guest-call.ts";

/** How often, and by how many at once, an instance is used before it is dropped. */
export interface InstanceReuse {
  /** 1: a fresh instance for each request. */
  readonly requestsMax: number;
  readonly atOnceMax: number;
  /** How long one that serves nothing is kept. */
  readonly idleMs: number;
}

/** Instances that serve several requests: one after the other, or at once where the guest is made for it (WASI 0.3). */
export class SharedInstances implements InstanceSource {
  readonly #fresh: InstanceSource;
  readonly #reuse: InstanceReuse;
  readonly #clock: Clock;
  /** Those that may be given further requests; the one that was used last is last, so that the others become idle. */
  readonly #open: SharedInstance[] = [];

  constructor(fresh: InstanceSource, reuse: InstanceReuse, clock: Clock) {
    this.#fresh = fresh;
    this.#reuse = reuse;
    this.#clock = clock;
  }

  takeNow(wanted: () => boolean): Instance | undefined {
    if (this.#reuse.requestsMax === 1) return this.#fresh.takeNow(wanted);
    return this.#open.findLast((one) => one.hasRoom)?.enterNow();
  }

  /** One that has room, or a fresh one. */
  take(wanted: () => boolean, starting: (isStarting: boolean) => void): Promise<Instance | undefined> {
    if (this.#reuse.requestsMax === 1) return this.#fresh.take(wanted, starting);
    const shared = this.#open.findLast((one) => one.hasRoom) ?? this.#begin(starting);
    return shared.enter(wanted);
  }

  /** A guest was taken off the thread: instances that were on their way will not come. */
  forgetStarting(): void {
    for (const shared of this.#open.filter(({ isStarting }) => isStarting)) this.#remove(shared);
  }

  close(): void {
    for (const shared of this.#open.splice(0)) shared.drop();
  }

  #begin(starting: (isStarting: boolean) => void): SharedInstance {
    const shared: SharedInstance = new SharedInstance({
      instance: this.#fresh.take(() => shared.isWanted, starting),
      reuse: this.#reuse,
      clock: this.#clock,
      ended: () => this.#remove(shared),
    });
    this.#open.push(shared);
    return shared;
  }

  #remove(shared: SharedInstance): void {
    const index = this.#open.indexOf(shared);
    if (index !== -1) this.#open.splice(index, 1);
  }
}

interface SharedInstanceSettings {
  readonly instance: Promise<Instance | undefined>;
  readonly reuse: InstanceReuse;
  readonly clock: Clock;
  /** It is to be given no more requests. */
  readonly ended: () => void;
}

class SharedInstance {
  readonly #settings: SharedInstanceSettings;
  readonly #waiting = new Set<() => boolean>();
  readonly #uses = new Set<Use>();
  readonly #stopped = Promise.withResolvers<never>();
  #instance: Instance | undefined;
  #requestsLeft: number;
  #isOver = false;
  #isDropped = false;
  #idleSinceMs = 0;
  #isTimed = false;

  constructor(settings: SharedInstanceSettings) {
    this.#settings = settings;
    this.#requestsLeft = settings.reuse.requestsMax;
    this.#stopped.promise.catch(() => undefined);
  }

  /** Rejects when the guest was taken off the thread. */
  get stopped(): Promise<never> {
    return this.#stopped.promise;
  }

  /** While a request that was given up is in it the guest may be stuck: it is given no further ones. */
  get hasRoom(): boolean {
    if (this.#isOver || this.#requestsLeft === 0) return false;
    if (this.#waiting.size + this.#uses.size >= this.#settings.reuse.atOnceMax) return false;
    return [...this.#uses].every((use) => !use.isGivenUp);
  }

  get isStarting(): boolean {
    return this.#instance === undefined;
  }

  /** By those that wait for it; once it is there, until it is dropped. */
  get isWanted(): boolean {
    return this.isStarting ? [...this.#waiting].some((wanted) => wanted()) : !this.#isDropped;
  }

  /** A guest was taken off the thread while it was at work: it will not go on. */
  get isInterrupted(): boolean {
    return [...this.#uses].some((use) => use.isAtWork);
  }

  /** There is room; undefined while the instance starts. */
  enterNow(): Instance | undefined {
    if (this.#instance === undefined) return undefined;
    this.#requestsLeft--;
    return this.#use(this.#instance);
  }

  /** There is room. @throws GuestFault */
  async enter(wanted: () => boolean): Promise<Instance | undefined> {
    this.#requestsLeft--;
    this.#waiting.add(wanted);
    try {
      const instance = (this.#instance ??= await this.#settings.instance);
      if (instance === undefined || this.#isDropped) {
        this.#end();
        return undefined;
      }
      return this.#use(instance);
    } catch (error) {
      this.#end();
      throw error;
    } finally {
      this.#waiting.delete(wanted);
    }
  }

  #use(instance: Instance): Use {
    const use = new Use(instance, this);
    this.#uses.add(use);
    return use;
  }

  /** `isWell`: the guest may be given another request. */
  leave(use: Use, isWell: boolean): void {
    this.#uses.delete(use);
    if (!isWell) this.#end();
    this.look();
  }

  /** The guest was taken off the thread while it was at work for `use`: it will not go on for the others either. */
  stop(use: Use): void {
    const message = "the instance was stopped while it was at work for another request";
    this.#stopped.reject(new GuestFault("GUEST_FAILED", message));
    this.leave(use, false);
  }

  /** Whether it is of use to anybody: requests that were given up are no reason to keep it. */
  look(): void {
    if ([...this.#uses].some(({ isGivenUp }) => !isGivenUp) || this.#waiting.size > 0) return;
    if (this.#isOver || this.#requestsLeft === 0 || this.#uses.size > 0) this.drop();
    else this.#wait();
  }

  drop(): void {
    this.#end();
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#instance?.dispose();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settings.ended();
  }

  /** One timer a time of idleness, not one a request. */
  #wait(): void {
    const { clock, reuse } = this.#settings;
    this.#idleSinceMs = clock.nowMs();
    if (this.#isTimed) return;
    this.#isTimed = true;
    const wake = (): void => {
      this.#isTimed = false;
      if (this.#isDropped || this.#uses.size + this.#waiting.size > 0) return;
      const restMs = this.#idleSinceMs + reuse.idleMs - clock.nowMs();
      if (restMs <= 0) return this.drop();
      this.#isTimed = true;
      clock.after(restMs, wake);
    };
    clock.after(reuse.idleMs, wake);
  }
}

/** One request's hold on an instance. */
class Use implements Instance {
  readonly #instance: Instance;
  readonly #shared: SharedInstance;
  #state: "fresh" | "running" | "returned" | "failed" | "given up" | "left" = "fresh";
  #request: GuestRequest | undefined;
  isAtWork = false;

  constructor(instance: Instance, shared: SharedInstance) {
    this.#instance = instance;
    this.#shared = shared;
  }

  get isGivenUp(): boolean {
    return this.#state === "given up";
  }

  async handle(request: GuestRequest, response: GuestResponse): Promise<void> {
    this.#state = "running";
    this.#request = {
      ...request,
      running: (isRunning) => {
        this.isAtWork = isRunning;
        request.running?.(isRunning);
      },
    };
    try {
      await Promise.race([this.#instance.handle(this.#request, response), this.#shared.stopped]);
      this.#settled("returned");
    } catch (error) {
      this.#settled("failed");
      throw error;
    }
  }

  memoryBytes(): number {
    return this.#instance.memoryBytes();
  }

  breach(): GuestFault | undefined {
    return this.#instance.breach();
  }

  isWoken(): boolean {
    return this.#shared.isInterrupted || this.#instance.isWoken();
  }

  /** The request is over, for whoever made it. A guest that is still at it is asked to stop, and need not. */
  dispose(): void {
    switch (this.#state) {
      case "running":
        if (this.isAtWork) {
          this.#state = "left";
          return this.#shared.stop(this);
        }
        if (this.#instance.abandon === undefined || this.#request === undefined) return this.#leave(false);
        this.#state = "given up";
        this.#instance.abandon(this.#request);
        return this.#shared.look();
      case "fresh":
      case "returned":
        return this.#leave(true);
      case "failed":
        return this.#leave(false);
      case "given up":
      case "left":
    }
  }

  #settled(how: "returned" | "failed"): void {
    if (this.#state === "given up") this.#leave(how === "returned");
    else if (this.#state === "running") this.#state = how;
  }

  #leave(isWell: boolean): void {
    this.#state = "left";
    this.#shared.leave(this, isWell);
  }
}
