import { annotation, autoscalingPrefix, type Revision } from "@shallop/sdk/api";

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

/** knative/serving config-autoscaler: container-concurrency-target-default, -percentage. */
const targetDefault = 100;
const utilizationDefault = 0.7;
/** What a process of a tenant holds (runtime/host/process-budget.ts); the autoscaler brings more where one node is not enough. */
const podsMax = 200;

/** Undefined: this revision is not scaled by requests at once, or shall not be scaled at all. */
export function growthRulesOf({ metadata, spec }: Revision): GrowthRules | undefined {
  const { annotations = {} } = metadata;
  const setting = (name: string): string | undefined => annotations[autoscalingPrefix + name];
  const metric = setting("metric") ?? (setting("class")?.startsWith("hpa.") === true ? "cpu" : "concurrency");
  if (metric !== "concurrency" || annotations[annotation.autoscalingDryRun] === "true") return undefined;
  const hard = spec.containerConcurrency ?? 0;
  const soft = positive(setting("target")) ?? (hard > 0 ? hard : targetDefault);
  const percentage = positive(setting("target-utilization-percentage"));
  const utilization = percentage === undefined ? utilizationDefault : percentage <= 1 ? percentage : percentage / 100;
  const total = hard > 0 ? Math.min(soft, hard) : soft;
  // Less than one request at once is a matter of averages, which a gateway does not make.
  const perPod = Math.max(1, Math.floor(total * utilization));
  return { perPod, podsMax: Math.min(positive(setting("max-scale") ?? setting("maxScale")) ?? podsMax, podsMax) };
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text);
  return text !== undefined && text !== "" && Number.isFinite(value) && value > 0 ? value : undefined;
}
