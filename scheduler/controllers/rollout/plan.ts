import type { RolloutSettings } from "./settings.ts";

/** Where a rollout is; kept as an annotation of the Route, so that it outlives the control plane. */
export interface RolloutState {
  readonly stable: string;
  readonly canary: string;
  /** Index of the step under way. */
  readonly step: number;
  /** Wall time at which it began. */
  readonly sinceMs: number;
  readonly phase: "progressing" | "rolled-back";
}

export interface RolloutWorld {
  readonly settings: RolloutSettings | undefined;
  readonly state: RolloutState | undefined;
  /** The newest revision that is ready. */
  readonly latest: string;
  /** What has had the requests of the latest revision until now; undefined: nothing yet. */
  readonly serving: string | undefined;
  /** Whether the revision that the rollout began from is still there. */
  readonly exists: (revision: string) => boolean;
  /** The canary has said that it is not ready any more. */
  readonly isCanaryFailed: boolean;
  /** Of the canary, since the step began. */
  readonly observed: { readonly requests: number; readonly failures: number };
  readonly wallMs: number;
}

export interface RolloutPlan {
  /** Undefined: there is no rollout, or it is over. */
  readonly state: RolloutState | undefined;
  /** Share of the canary; all others go to `state.stable`. */
  readonly percent: number;
  /** What happened just now, for an event. */
  readonly event?: { readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string };
  /** When to look again, if nothing changes. */
  readonly lookAgainMs?: number;
}

// Errors are looked at this often while a step lasts.
const lookMsMax = 1_000;

/** Decides how far a new revision is: one step on, or all the way back. Pure. */
export function planRollout(world: RolloutWorld): RolloutPlan {
  const { settings, state, latest, serving, exists, wallMs } = world;
  if (settings === undefined) return { state: undefined, percent: 100 };
  if (state?.canary === latest && exists(state.stable)) return proceed(world, settings, state);
  const stable = state !== undefined && exists(state.stable) && state.canary !== latest ? state.stable : serving;
  if (stable === undefined || stable === latest || !exists(stable)) return { state: undefined, percent: 100 };
  const [percent = 100] = settings.steps;
  return {
    state: { stable, canary: latest, step: 0, sinceMs: wallMs, phase: "progressing" },
    percent,
    event: {
      type: "Normal",
      reason: "RolloutStarted",
      message: `${latest} gets ${percent}% of the requests, ${stable} the others`,
    },
    lookAgainMs: Math.min(lookMsMax, settings.intervalMs),
  };
}

function proceed(world: RolloutWorld, settings: RolloutSettings, state: RolloutState): RolloutPlan {
  const { observed, wallMs } = world;
  if (state.phase === "rolled-back") return { state, percent: 0 };
  const failure = failureOf(world, settings);
  if (failure !== undefined)
    return {
      state: { ...state, phase: "rolled-back", sinceMs: wallMs },
      percent: 0,
      event: {
        type: "Warning",
        reason: "RolloutFailed",
        message: `all requests go back to ${state.stable}: ${failure}`,
      },
    };
  const percent = settings.steps[state.step] ?? 100;
  const leftMs = state.sinceMs + settings.intervalMs - wallMs;
  const isDue = settings.advance === "time" ? leftMs <= 0 : observed.requests >= settings.minRequests;
  if (!isDue) return { state, percent, lookAgainMs: lookAgain(settings, leftMs) };
  const next = settings.steps[state.step + 1];
  if (next === undefined)
    return {
      state: undefined,
      percent: 100,
      event: { type: "Normal", reason: "RolloutCompleted", message: `${state.canary} gets all requests` },
    };
  return {
    state: { ...state, step: state.step + 1, sinceMs: wallMs },
    percent: next,
    event: {
      type: "Normal",
      reason: "RolloutAdvanced",
      message: `${state.canary} gets ${next}% of the requests, ${state.stable} the others`,
    },
    lookAgainMs: lookAgain(settings, settings.intervalMs),
  };
}

const lookAgain = ({ advance }: RolloutSettings, leftMs: number): number =>
  advance === "time" ? Math.max(1, Math.min(lookMsMax, leftMs)) : lookMsMax;

/** Why the canary is not fit, in words; undefined when nothing speaks against it. */
function failureOf(
  { isCanaryFailed, observed, state }: RolloutWorld,
  { minRequests, maxErrorPercent }: RolloutSettings,
): string | undefined {
  if (isCanaryFailed) return `${state?.canary ?? ""} is not ready any more`;
  const { requests, failures } = observed;
  if (requests < Math.max(1, minRequests) || failures * 100 <= maxErrorPercent * requests) return undefined;
  return `${failures} of ${requests} requests failed, and ${maxErrorPercent}% may`;
}

export const formatState = (state: RolloutState): string => JSON.stringify(state);

/** The state that an annotation has; undefined when it has none. */
export function parseState(text: string | undefined): RolloutState | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<RolloutState> | null;
    const isState =
      typeof value?.stable === "string" &&
      typeof value.canary === "string" &&
      Number.isInteger(value.step) &&
      typeof value.sinceMs === "number" &&
      (value.phase === "progressing" || value.phase === "rolled-back");
    return isState ? (value as RolloutState) : undefined;
  } catch {
    return undefined;
  }
}
