import type { Random } from "@shallop/sdk/internal";

/** What a policy sees of a pod. */
export interface Candidate {
  /** Requests of this gateway that it has now. */
  readonly outstanding: number;
  /** Requests that it may have at once. */
  readonly slots: number;
}

/** Picks the pod of the next request: an index into `pods`, or -1 when none has a free slot. */
export type BalancePolicy = (pods: readonly Candidate[], random: Random) => number;

const hasRoom = (pod: Candidate): boolean => pod.outstanding < pod.slots;

/**
 * Power of two choices: of two pods picked by chance the one with fewer requests. Nearly as even as asking all, and
 * several gateways that do it do not rush to the same pod (Mitzenmacher 2001).
 */
export const leastOfTwo: BalancePolicy = (pods, random) => {
  if (pods.length > 1) {
    const first = random.below(pods.length);
    const offset = 1 + random.below(pods.length - 1);
    const second = (first + offset) % pods.length;
    const a = pods[first];
    const b = pods[second];
    if (a !== undefined && b !== undefined) {
      const [best, index] = b.outstanding < a.outstanding ? [b, second] : [a, first];
      if (hasRoom(best)) return index;
    }
  }
  return pods.findIndex(hasRoom);
};

/** The first pod with a free slot: with few slots each, pods at the end of the list stay idle and can be taken away. */
export const firstFree: BalancePolicy = (pods) => pods.findIndex(hasRoom);

// Knative's activator: first available for 1 to 3, round robin above; two choices do better than round robin.
const fewSlots = 3;

/** @param concurrencyMax of the revision; 0 = unlimited. */
export const policyFor = (concurrencyMax: number): BalancePolicy =>
  concurrencyMax > 0 && concurrencyMax <= fewSlots ? firstFree : leastOfTwo;
