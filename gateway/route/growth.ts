import { guestLimitsOf, parseQuantity, type Revision } from "@shallop/sdk/api";
import { limitRows } from "@shallop/sdk/internal";

/**
 * How Wasm pods are added by the nodes themselves, as soon as a gateway has more requests than the pods there are shall get:
 * a thread and its forks are there in milliseconds, before the control plane has heard of a burst.
 */
export interface GrowthRules {
  /** Requests at once that a pod shall get: what the autoscaler aims at too, so that it agrees with what it finds. */
  readonly perPod: number;
  /** Requests at once that find room in a pod: more of them wait there, whatever those that have it do. */
  readonly roomPerPod: number;
  /** What a pod can make use of: it is one thread, and may be held to less. */
  readonly processorsPerPod: number;
  /** Pods of the revision in all. */
  readonly podsMax: number;
}

/** What a process of a tenant holds (runtime/host/process-budget.ts); the autoscaler brings more where one node is not enough. */
const podsMax = 200;
// Of a pod's memory, for each request that waits in it: what a host process reckons with (runtime/host/memory-gate.ts), and as much again
// for what the guest has written.
const requestBytes = 2 * 2 ** 20;

/** Undefined: this revision is not scaled by requests at once, or shall not be scaled, or the autoscaler has not seen it yet. */
export function growthRulesOf(revision: Revision): GrowthRules | undefined {
  const { concurrencyPerPod: perPod, maxScale = 0 } = revision.status?.scaling ?? {};
  if (perPod === undefined || perPod < 1) return undefined;
  const { metadata, spec } = revision;
  const { containerConcurrency = 0, containers } = spec;
  const serving = containers.find(({ ports = [] }) => ports.length > 0) ?? containers[0];
  const limitOf = (resource: string): number | undefined =>
    parseQuantity(serving?.resources?.limits?.[resource] ?? "") || undefined;
  const room = Math.min(
    // Without a limit of its own: the most that the API admits as one, which is what a gateway gives a pod.
    containerConcurrency > 0 ? containerConcurrency : limitRows.concurrencyMax.max,
    guestLimitsOf(metadata.annotations).instancesMax,
    Math.floor((limitOf("memory") ?? limitRows.memoryBytes.initial) / requestBytes),
  );
  return {
    perPod,
    roomPerPod: Math.max(perPod, room),
    processorsPerPod: Math.min(1, limitOf("cpu") ?? 1),
    podsMax: maxScale > 0 ? Math.min(maxScale, podsMax) : podsMax,
  };
}

/** Pods for so many requests at once, on nodes with so many processors for them. */
export function podsFor(demand: number, processors: number, rules: GrowthRules): number {
  const { perPod, processorsPerPod, podsMax } = rules;
  // One more than can make use of them gets its time from the others, and costs its start.
  const useful = Math.max(1, Math.ceil(processors / processorsPerPod));
  const shared = Math.min(Math.ceil(demand / perPod), useful);
  return Math.min(podsMax, Math.max(shared, podsForRoom(demand, rules)));
}

/** So many of them have room for all requests. */
export const podsForRoom = (demand: number, { roomPerPod }: GrowthRules): number => Math.ceil(demand / roomPerPod);
