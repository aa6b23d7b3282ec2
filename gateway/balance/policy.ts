import type { Random } from "@shallop/sdk/internal";

/** What a policy sees of a pod. */
export interface Candidate {
  /** Identity of the pod, for hashing. */
  readonly id: string;
  /** Requests of this gateway that it has now. */
  readonly outstanding: number;
  /** Requests that it may have at once. */
  readonly slots: number;
  /** Its share of requests, in (0, 1]: less for one that has just started. */
  readonly weight: number;
}

/** A request, as far as it matters which pod it gets. */
interface Pick {
  readonly random: Random;
  /** Requests with the same value belong together; undefined: this one does not. */
  readonly affinity: string | undefined;
}

/** Picks the pod of the next request: an index into `pods`, or -1 when none has a free slot. */
export type BalancePolicy = (pods: readonly Candidate[], pick: Pick) => number;

export const hasRoom = (pod: Candidate): boolean => pod.outstanding < pod.slots;

/** What a pod would have to do with one more, as a pod with its full share sees it. */
const workOf = ({ outstanding, weight }: Candidate): number => (outstanding + 1) / weight;

/**
 * Power of two choices: of two pods picked by chance the one with less to do. Nearly as even as asking all, and
 * several gateways that do it do not rush to the same pod (Mitzenmacher 2001).
 */
export const leastOfTwo: BalancePolicy = (pods, { random }) => {
  if (pods.length > 1) {
    const first = random.below(pods.length);
    const offset = 1 + random.below(pods.length - 1);
    const second = (first + offset) % pods.length;
    const a = pods[first];
    const b = pods[second];
    if (a !== undefined && b !== undefined) {
      const [best, index] = workOf(b) < workOf(a) ? [b, second] : [a, first];
      if (hasRoom(best)) return index;
    }
  }
  return pods.findIndex(hasRoom);
};

/** The first pod with a free slot: with few slots each, pods at the end of the list stay idle and can be taken away. */
export const firstFree: BalancePolicy = (pods) => pods.findIndex(hasRoom);

/** No pod gets more than this times the average (Mirrokni, Thorup, Zadimoghaddam 2018: consistent hashing with bounded loads). */
const boundedLoad = 1.25;

/**
 * Requests with the same affinity go to the same pod, and when that has more than its share, to the next in the request's
 * own order (rendezvous hashing: a pod that comes or goes moves only what was or will be its own). Those without one go
 * to the pod with less to do.
 */
export const hashed: BalancePolicy = (pods, pick) => {
  if (pick.affinity === undefined) return leastOfTwo(pods, pick);
  const total = pods.reduce((sum, { outstanding }) => sum + outstanding, 1);
  const most = Math.ceil((boundedLoad * total) / pods.length);
  let best = -1;
  let bestScore = -1;
  for (const [index, pod] of pods.entries()) {
    if (!hasRoom(pod) || pod.outstanding >= most) continue;
    const score = hash(pick.affinity, pod.id);
    if (score > bestScore) [best, bestScore] = [index, score];
  }
  return best === -1 ? pods.findIndex(hasRoom) : best;
};

// FNV-1a and the last step of MurmurHash3, without which names that differ in their last letter alone stay close.
function hash(affinity: string, id: string): number {
  let value = 0x811c9dc5;
  for (const text of [affinity, id]) {
    for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
    value = Math.imul(value ^ 0xff, 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

// Knative's activator: first available for 1 to 3, round robin above; two choices do better than round robin.
const fewSlots = 3;

/** @param concurrencyMax of the revision; 0 = unlimited. */
export const policyFor = (concurrencyMax: number, hasAffinity = false): BalancePolicy => {
  if (hasAffinity) return hashed;
  return concurrencyMax > 0 && concurrencyMax <= fewSlots ? firstFree : leastOfTwo;
};
