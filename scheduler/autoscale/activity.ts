import { assert } from "@shallop/sdk/internal";
import { seconds } from "./kpa.ts";
import type { ScaleSpec } from "./spec.ts";

/** Where a revision is between zero and serving: Knative's condition Active as Unknown, True, False. */
export interface Activity {
  readonly phase: "activating" | "active" | "inactive";
  readonly sinceMs: number;
}

/** What decides whether the last pod may go. */
export interface ZeroContext {
  readonly nowMs: number;
  readonly reachable: boolean;
  readonly activity: Activity;
  /** Since when requests are held in the gateway; undefined: they are not. */
  readonly proxySinceMs: number | undefined;
  /** Pods that were wanted last. */
  readonly applied: number;
}

export interface ZeroVerdict {
  readonly want: number;
  readonly activity: Activity;
  readonly bound?: string;
}

/**
 * What becomes of a wish for no pods (knative/serving pkg/reconciler/autoscaling/kpa/scaler.go, `handleScaleToZero`).
 * With defaults the last pod goes 60 s after the last request, and up to 30 s later when the gateway has not been
 * holding requests yet.
 */
export function towardsZero(spec: ScaleSpec, context: ZeroContext): ZeroVerdict {
  const { nowMs, activity, applied } = context;
  const phaseMs = nowMs - activity.sinceMs;
  assert(phaseMs >= 0, "phases begin in the past");
  if (!spec.enableScaleToZero) return { want: 1, activity, bound: "enable-scale-to-zero false" };
  switch (activity.phase) {
    case "activating":
      if (phaseMs > spec.activationTimeoutMs) {
        return { want: 0, activity, bound: `no pod became ready within ${seconds(spec.activationTimeoutMs)}` };
      }
      return { want: applied, activity, bound: `pods may take ${seconds(spec.activationTimeoutMs)} to become ready` };
    case "active":
      if (context.reachable && phaseMs < spec.stableWindowMs) {
        return {
          want: 1,
          activity,
          bound: `window ${seconds(spec.stableWindowMs)}: active for ${seconds(phaseMs)} only`,
        };
      }
      return lastPod(spec, { ...context, activity: { phase: "inactive", sinceMs: nowMs } });
    case "inactive":
      return lastPod(spec, context);
    default:
      return activity.phase satisfies never;
  }
}

function lastPod(spec: ScaleSpec, { nowMs, reachable, activity, proxySinceMs, applied }: ZeroContext): ZeroVerdict {
  const idleMs = nowMs - activity.sinceMs;
  const retentionMs = reachable ? spec.podRetentionMs : 0;
  const graceMs = spec.scaleToZeroGraceMs;
  if (applied === 0) return { want: 0, activity };
  if (idleMs < retentionMs) {
    return { want: applied, activity, bound: `scale-to-zero-pod-retention-period ${seconds(retentionMs)}` };
  }
  const heldMs = proxySinceMs === undefined ? idleMs : nowMs - proxySinceMs;
  if (reachable && idleMs < graceMs && heldMs < graceMs) {
    return { want: applied, activity, bound: `scale-to-zero-grace-period ${seconds(graceMs)}` };
  }
  return { want: 0, activity };
}

/** The phase that follows from a wish and what is there (kpa.go, `computeActiveCondition`). `wish` undefined: none. */
export function nextActivity(
  before: Activity,
  now: { readonly nowMs: number; readonly wish: number | undefined; readonly ready: number; readonly readyMin: number },
): Activity {
  const { nowMs, wish, ready, readyMin } = now;
  const to = (phase: Activity["phase"]): Activity => (before.phase === phase ? before : { phase, sinceMs: nowMs });
  if (wish === 0 || readyMin === 0) return to("inactive");
  if ((wish === undefined || wish <= 0) && before.phase === "inactive") return before;
  return to(ready >= readyMin ? "active" : "activating");
}
