import type { Random } from "@shallop/sdk/internal";

export interface WeightedRevision {
  readonly revision: string;
  /** Share of the traffic, in relation to those of the others. Percents, when they sum to 100. */
  readonly percent: number;
}

// A deck is a card for each unit of weight; above this many, each request is dealt by chance alone.
const deckMax = 1_000;

/**
 * Deals requests to the things that have weights, like cards: a deck holds each as often as its weight says, and is dealt
 * in random order before it is shuffled again. So each hundred requests are split exactly, and yet no client that comes
 * at regular intervals meets one only, as it could with a fixed order.
 */
export class WeightedDeck {
  readonly #weights: readonly number[];
  readonly #total: number;
  readonly #deck: Uint16Array | undefined;
  #dealt = 0;

  /** Whole numbers, each above zero. */
  constructor(weights: readonly number[]) {
    const divisor = weights.reduce(greatestCommonDivisor, 0);
    this.#weights = weights.map((weight) => weight / Math.max(1, divisor));
    this.#total = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#deck =
      this.#total > deckMax
        ? undefined
        : Uint16Array.from(this.#weights.flatMap((weight, index) => Array.from({ length: weight }, () => index)));
  }

  /** Index of the one whose turn it is; 0 when there is none. */
  next(random: Random): number {
    if (this.#weights.length <= 1) return 0;
    const deck = this.#deck;
    if (deck === undefined) return this.#byChance(random.below(this.#total));
    if (this.#dealt === deck.length) this.#dealt = 0;
    const picked = this.#dealt + random.below(deck.length - this.#dealt);
    const card = deck[picked] ?? 0;
    deck[picked] = deck[this.#dealt] ?? 0;
    deck[this.#dealt] = card;
    this.#dealt++;
    return card;
  }

  #byChance(ticket: number): number {
    let left = ticket;
    for (const [index, weight] of this.#weights.entries()) {
      if (left < weight) return index;
      left -= weight;
    }
    return 0;
  }
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

/** Deals requests to revisions by their shares. */
export class TrafficSplit {
  readonly #revisions: readonly string[];
  readonly #deck: WeightedDeck;

  constructor(targets: readonly WeightedRevision[]) {
    const wanted = targets.filter(({ percent }) => percent > 0);
    this.#revisions = wanted.map(({ revision }) => revision);
    this.#deck = new WeightedDeck(wanted.map(({ percent }) => percent));
  }

  /** Every revision that gets traffic. */
  get revisions(): readonly string[] {
    return this.#revisions;
  }

  /** The revision of the next request; undefined when none has a share. */
  next(random: Random): string | undefined {
    return this.#revisions[this.#deck.next(random)];
  }
}
