import type { Random } from "@shallop/sdk/internal";

export interface WeightedRevision {
  readonly revision: string;
  /** Share of the traffic; all of a route's sum to 100. */
  readonly percent: number;
}

/**
 * Deals requests to revisions like cards: a deck holds each revision as often as its percent says, and is dealt in
 * random order before it is shuffled again. So each hundred requests are split exactly, and yet no client that comes
 * at regular intervals meets one revision only, as it could with a fixed order.
 */
export class TrafficSplit {
  readonly #revisions: readonly string[];
  readonly #deck: Uint16Array;
  #dealt = 0;

  constructor(targets: readonly WeightedRevision[]) {
    const wanted = targets.filter(({ percent }) => percent > 0);
    this.#revisions = wanted.map(({ revision }) => revision);
    this.#deck = Uint16Array.from(wanted.flatMap(({ percent }, index) => Array.from({ length: percent }, () => index)));
  }

  /** Every revision that gets traffic. */
  get revisions(): readonly string[] {
    return this.#revisions;
  }

  /** The revision of the next request; undefined when none has a share. */
  next(random: Random): string | undefined {
    if (this.#revisions.length <= 1) return this.#revisions[0];
    const deck = this.#deck;
    if (this.#dealt === deck.length) this.#dealt = 0;
    const picked = this.#dealt + random.below(deck.length - this.#dealt);
    const card = deck[picked] ?? 0;
    deck[picked] = deck[this.#dealt] ?? 0;
    deck[this.#dealt] = card;
    this.#dealt++;
    return this.#revisions[card];
  }
}
