import type { LookupAddress } from "node:dns";
import type { Clock } from "@shallop/sdk/internal";
import { EgressFault, type Resolve } from "../component/egress/egress.ts";

export interface ResolverBounds {
  /** Questions of one pod at once; more wait. */
  readonly atOnceMax: number;
  /** Questions of one pod that wait. */
  readonly waitingMax: number;
  readonly ratePerS: number;
  readonly burst: number;
}

const resolverBounds: ResolverBounds = {
  // Each takes one of the sixteen threads that Node gives to names: a slow server of one pod's must leave some to others.
  atOnceMax: 4,
  waitingMax: 256,
  // A program that connects anew for every request, and one that starts; the node's resolver is not to feel a loop.
  ratePerS: 100,
  burst: 200,
};

/** Resolves names for one pod, in bounds. */
export class NameResolver {
  readonly #resolve: Resolve;
  readonly #clock: Clock;
  readonly #bounds: ResolverBounds;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #tokens: number;
  #refilledMs: number;

  constructor(resolve: Resolve, clock: Clock, bounds: ResolverBounds = resolverBounds) {
    this.#resolve = resolve;
    this.#clock = clock;
    this.#bounds = bounds;
    this.#tokens = bounds.burst;
    this.#refilledMs = clock.nowMs();
  }

  /** @throws EgressFault LIMIT, DNS */
  async addressesOf(hostname: string): Promise<readonly LookupAddress[]> {
    this.#spend(hostname);
    await this.#turn(hostname);
    try {
      return await this.#resolve(hostname);
    } catch (error) {
      throw new EgressFault("DNS", `resolving ${hostname} failed`, { cause: error });
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  #spend(hostname: string): void {
    const { ratePerS, burst } = this.#bounds;
    const nowMs = this.#clock.nowMs();
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#refilledMs) / 1000) * ratePerS);
    this.#refilledMs = nowMs;
    if (this.#tokens < 1) {
      throw new EgressFault("LIMIT", `${hostname} was not resolved: a pod may ask for ${ratePerS} names a second`);
    }
    this.#tokens--;
  }

  async #turn(hostname: string): Promise<void> {
    const { atOnceMax, waitingMax } = this.#bounds;
    if (this.#running >= atOnceMax) {
      if (this.#waiting.length >= waitingMax) {
        throw new EgressFault("LIMIT", `${hostname} was not resolved: ${waitingMax} names wait already`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
  }
}
