import type { Revision } from "@shallop/sdk/api";

/**
 * How Wasm pods are added by the nodes themselves, as soon as a gateway has more requests than the pods there are shall get:
 * a thread and its forks are there in milliseconds, before the control plane has heard of a burst.
 */
export interface GrowthRules {
  /** Requests at once that a pod shall get: what the autoscaler aims at too, so that it agrees with what it finds. */
  readonly perPod: number;
  /** Pods of the revision in all. */
  readonly podsMax: number;
}

/** What a process of a tenant holds (runtime/host/process-budget.ts); the autoscaler brings more where one node is not enough. */
const podsMax = 200;

/** Undefined: this revision is not scaled by requests at once, or shall not be scaled, or the autoscaler has not seen it yet. */
export function growthRulesOf({ status }: Revision): GrowthRules | undefined {
  const { concurrencyPerPod: perPod, maxScale = 0 } = status?.scaling ?? {};
  if (perPod === undefined || perPod < 1) return undefined;
  return { perPod, podsMax: maxScale > 0 ? Math.min(maxScale, podsMax) : podsMax };
}
