import type { ScaleDecision, ScaleReplay } from "@shallop/sdk/wire";
import type { IdleTimes } from "./idle-times.ts";
import type { LoadSample } from "./signals.ts";
import { type PodCounts, RevisionScaler } from "./revision-scaler.ts";
import type { ScaleSpec } from "./spec.ts";

const secondMs = 1_000;
/** As the autoscaler decides. */
const secondsPerDecision = 2;

export interface ReplayOptions {
  readonly samples: readonly LoadSample[];
  /** Wall time of the first sample. */
  readonly startWallMs: number;
  /** A copy: the replay adds to it. */
  readonly idle: IdleTimes;
  readonly native: boolean;
}

/**
 * What the autoscaler would have decided on a load with other settings. Pods are there as soon as they are wanted, and the
 * first request at zero brings one up, as a gateway does: it is a replay of decisions, not of requests.
 */
export function replay(spec: ScaleSpec, { samples, startWallMs, idle, native }: ReplayOptions): ScaleReplay {
  let counts: PodCounts = {
    ...{ pods: 0, ready: 0, reachable: true, initialized: true, prepared: true },
    ...{ activation: undefined, activated: 0, native },
  };
  const scaler = new RevisionScaler(spec, counts, { nowMs: 0, idle });
  let peak = 0;
  let podSeconds = 0;
  let changes = 0;
  let starts = 0;
  const follow = (want: number): void => {
    if (want !== counts.pods) changes++;
    counts = { ...counts, pods: want, ready: want };
    peak = Math.max(peak, want);
  };
  for (const [index, sample] of samples.entries()) {
    const moment = { nowMs: (index + 1) * secondMs, wallMs: startWallMs + (index + 1) * secondMs };
    const isBusy = sample.concurrency > 0 || sample.rps > 0;
    if (isBusy && counts.pods === 0) {
      starts++;
      counts = { ...counts, activation: String(moment.nowMs), activated: 1 };
      follow(1);
    }
    if (isBusy || counts.pods > 0) scaler.record(moment, sample);
    if (index % secondsPerDecision === 0) follow(scaler.decide(moment, counts).want);
    podSeconds += counts.pods;
  }
  const decisions: readonly ScaleDecision[] = scaler.decisions;
  return { seconds: samples.length, peak, podSeconds, changes, startsFromZero: starts, decisions };
}
