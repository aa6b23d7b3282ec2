import type { GuestCallSettings } from "../host/guest-call.ts";
import type { GuestFault } from "../component/guest-fault.ts";
import type { GuestRequest, GuestResponse, Instance } from "../component/engine.ts";

type TakeInstance = GuestCallSettings["takeInstance"];

/** Instances that serve several requests, one after the other, before they are dropped. */
export class ReusedInstances {
  readonly #make: TakeInstance;
  readonly #requestsMax: number;
  readonly #idle: ReusedInstance[] = [];

  /** `make`: a fresh instance. */
  constructor(make: TakeInstance, requestsMax: number) {
    this.#make = make;
    this.#requestsMax = requestsMax;
  }

  /** One that waits, or a fresh one; undefined when it is not `wanted` any more by the time there is one. */
  readonly take: TakeInstance = async (wanted, starting) => {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const instance = await this.#make(wanted, starting);
    return instance && new ReusedInstance(instance, this.#requestsMax, (one) => this.#idle.push(one));
  };

  close(): void {
    for (const instance of this.#idle.splice(0)) instance.drop();
  }
}

class ReusedInstance implements Instance {
  readonly #instance: Instance;
  readonly #keep: (instance: ReusedInstance) => void;
  #requestsLeft: number;
  #state: "idle" | "running" | "returned" = "idle";

  constructor(instance: Instance, requestsMax: number, keep: (instance: ReusedInstance) => void) {
    this.#instance = instance;
    this.#requestsLeft = requestsMax;
    this.#keep = keep;
  }

  async handle(request: GuestRequest, response: GuestResponse): Promise<void> {
    this.#state = "running";
    this.#requestsLeft--;
    await this.#instance.handle(request, response);
    this.#state = "returned";
  }

  memoryBytes(): number {
    return this.#instance.memoryBytes();
  }

  breach(): GuestFault | undefined {
    return this.#instance.breach();
  }

  isWoken(): boolean {
    return this.#instance.isWoken();
  }

  /** The request is over: the instance waits for the next, unless it has served its number or has not come back. */
  dispose(): void {
    if (this.#state !== "returned" || this.#requestsLeft <= 0) return this.drop();
    this.#state = "idle";
    this.#keep(this);
  }

  drop(): void {
    this.#instance.dispose();
  }
}
