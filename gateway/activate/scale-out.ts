import { type Clock, describeError, type Log } from "@shallop/sdk/internal";
import { type GrowthRules, podsFor, podsForRoom } from "../route/growth.ts";

/** What a scale-out sees of a revision's requests and pods, and does for them. */
export interface Growing {
  /** Undefined: it does not grow here. */
  readonly rules: GrowthRules | undefined;
  /** Requests that have a pod or wait for one. */
  readonly demand: number;
  /** Pods that may be given requests; 0 when some of them are none that grow here. */
  readonly pods: number;
  /** Of all homes together. */
  readonly processors: number;
  /** Until it is called with undefined, no pod is to have more requests than this. */
  cap(slots: number | undefined): void;
  /** Asks home nodes for one pod more: those that have a processor for it, or any, where it is `forRoom`. @throws when none of them has one */
  addPod(forRoom: boolean): Promise<void>;
}

// Requests wait for pods that come within milliseconds, and no longer: after this the ones that are there take them all.
const holdMs = 250;
// A crowd comes one by one. What each pod is to have of it is reckoned again when it has grown by this.
const demandStep = 1.25;
// Homes that have refused are asked again after this.
const refusedMs = 1_000;
// A node that takes longer than the hold for a thread has no processor for it: each further one would make all of them slower, and
// the requests at once more. It is left alone this many times as long as it took; the autoscaler decides meanwhile.
const slowPauses = 10;
// Whoever takes away what came for a burst has a reason that a gateway does not know, such as the cluster's own maximum. He has
// the last word for as long as the autoscaler looks back.
const overruledMs = 60_000;

const notGrown = { pods: 0, atMs: Number.NEGATIVE_INFINITY };

/**
 * Brings up Wasm pods for a burst while it lasts, one after the other, without the control plane: more threads on the
 * revision's first home, then on the next ones.
 */
export class ScaleOut {
  readonly #growing: Growing;
  readonly #clock: Clock;
  readonly #log: Log;
  #isUnderWay = false;
  /** While pods come: they may have their share of so many requests, and no more. */
  #shared = 0;
  #refusedUntilMs = 0;
  /** Pods that there were when the last one had come, and when that was. */
  #grown = notGrown;

  constructor(growing: Growing, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#growing = growing;
    this.#clock = clock;
    this.#log = log;
  }

  /** There may be more requests than pods: called for each request, so it is a comparison when there are not. */
  look(): void {
    const { rules, demand, pods } = this.#growing;
    // From zero everything begins anew.
    if (pods === 0 && this.#grown.pods > 0) this.#grown = notGrown;
    if (rules === undefined || pods === 0 || demand <= pods * rules.perPod) return;
    if (this.#isUnderWay) return this.#share(rules, demand);
    if (pods >= this.#wanted(rules, demand)) return;
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#refusedUntilMs) return;
    if (pods < this.#grown.pods && nowMs - this.#grown.atMs < overruledMs) {
      this.#refusedUntilMs = nowMs + overruledMs;
      return;
    }
    this.#isUnderWay = true;
    void this.#grow(rules);
  }

  #wanted(rules: GrowthRules, demand: number): number {
    return podsFor(demand, this.#growing.processors, rules);
  }

  /** No pod gets more than its share of what there is, so that those that come find theirs; those that are there have all of theirs to do meanwhile. */
  #share(rules: GrowthRules, demand: number): void {
    if (this.#shared === 0 || demand < this.#shared * demandStep) return;
    this.#shared = demand;
    this.#growing.cap(Math.max(rules.perPod, Math.ceil(demand / this.#wanted(rules, demand))));
  }

  #takeAll(): void {
    this.#shared = 0;
    this.#growing.cap(undefined);
  }

  async #grow(rules: GrowthRules): Promise<void> {
    this.#shared = 1;
    this.#share(rules, this.#growing.demand);
    const held = this.#clock.after(holdMs, () => this.#takeAll());
    try {
      for (;;) {
        const { demand, pods } = this.#growing;
        if (pods === 0 || demand <= pods * rules.perPod || pods >= this.#wanted(rules, demand)) break;
        const askedMs = this.#clock.nowMs();
        await this.#growing.addPod(pods < podsForRoom(demand, rules));
        const nowMs = this.#clock.nowMs();
        const tookMs = nowMs - askedMs;
        this.#grown = { pods: this.#growing.pods, atMs: nowMs };
        if (tookMs > holdMs) {
          this.#refusedUntilMs = nowMs + slowPauses * tookMs;
          break;
        }
        // A home that gives what is known already has no more to give.
        if (this.#growing.pods <= pods) break;
      }
    } catch (error) {
      this.#log.debug("no home has a further pod", { reason: describeError(error) });
      this.#refusedUntilMs = this.#clock.nowMs() + refusedMs;
    } finally {
      this.#isUnderWay = false;
      held.cancel();
      this.#takeAll();
    }
  }
}
