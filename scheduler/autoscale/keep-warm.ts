import { assert } from "@shallop/sdk/internal";
import { type IdleTimes, idleMinutesMax, minuteMs } from "./idle-times.ts";

/** A span of idleness, counted from the end of the last request, in which one pod is kept or brought up ahead. */
export interface WarmSpan {
  readonly fromMs: number;
  readonly toMs: number;
  readonly why: string;
}

/** Spans in order, apart from each other. Empty: the last pod goes as it would anyway. */
export type WarmPlan = readonly WarmSpan[];

/** Says from what is known of a function's idle times when a pod that waits is worth its memory. */
export type KeepWarm = (idle: IdleTimes) => WarmPlan;

/** The span that `idleMs` is in. */
export const warmSpanAt = (plan: WarmPlan, idleMs: number): WarmSpan | undefined =>
  plan.find(({ fromMs, toMs }) => idleMs >= fromMs && idleMs < toMs);

export const keepNothing: KeepWarm = () => [];

// ATC '20, 4.2: the 5th and the 99th percentile, a tenth of margin on each side.
const headShare = 0.05;
const tailShare = 0.99;
const margin = 0.1;
/** Fewer, and the histogram says nothing yet. */
const samplesMin = 10;
/** ATC '20, 4.2: a histogram whose bins hardly differ says nothing either (coefficient of variation of their counts). */
const variationMin = 2;

/**
 * The hybrid histogram of "Serverless in the Wild", without its forecast of idle times beyond the histogram: the pod goes
 * at once, comes back ahead of the 5th percentile of idle times, and stays to the 99th. A histogram that says nothing
 * keeps the pod for the whole of its range.
 */
export const hybridHistogram: KeepWarm = (idle) => {
  const { total } = idle;
  const range: WarmSpan = { fromMs: 0, toMs: idleMinutesMax * minuteMs, why: "idle times show no pattern" };
  if (total < samplesMin || variation(idle) < variationMin || idle.weight(idleMinutesMax) > total / 2) return [range];
  const head = minuteOf(idle, headShare * total) * (1 - margin);
  const tail = (minuteOf(idle, tailShare * total) + 1) * (1 + margin);
  // An idle time within the first minute is not worth a stop.
  const fromMs = head < 1 ? 0 : Math.floor(head) * minuteMs;
  return [{ fromMs, toMs: Math.ceil(tail) * minuteMs, why: "between the 5th and the 99th percentile of idle times" }];
};

/** The minute in which the sum of weights reaches `share`. */
function minuteOf(idle: IdleTimes, share: number): number {
  let sum = 0;
  for (let minute = 0; minute <= idleMinutesMax; minute++) {
    sum += idle.weight(minute);
    if (sum >= share) return minute;
  }
  return idleMinutesMax;
}

function variation(idle: IdleTimes): number {
  let sum = 0;
  let squares = 0;
  for (let minute = 0; minute < idleMinutesMax; minute++) {
    const weight = idle.weight(minute);
    sum += weight;
    squares += weight * weight;
  }
  const mean = sum / idleMinutesMax;
  return mean === 0 ? 0 : Math.sqrt(squares / idleMinutesMax - mean * mean) / mean;
}

/** What is believed before anything is known, as so many idle times; each that is seen counts one. */
const priorWeight = 2;
/** And what they are like: half of them are over after ten minutes, a tenth are longer than an hour and a half. */
const priorHalfMinutes = 10;
const priorSurvival = (minute: number): number => 1 / (1 + minute / priorHalfMinutes);
/** A function that is called each hour is not called each hour to the second: a minute lends half to its neighbours. */
const kernel = [0.25, 0.5, 0.25] as const;
/** Spans closer to each other, or to the last request, are one: a stop and a start cost something, too. */
const mergeMinutes = 3;
/** A pod that is brought up ahead is there in time. */
const leadMs = 10_000;

/**
 * Keeps a pod in each minute of idleness in which that costs less than it saves. A cold start that is avoided is worth
 * `worthMs` of a pod that waits; a request comes in the next minute with the chance that the function's own idle times
 * give, of those that lasted at least as long (the hazard rate). So the pod is kept while chance × worth ≥ one minute.
 * For a known distribution no plan costs less; the histogram with its percentiles pays for the whole span between them.
 * Example: worth 15 minutes, called each hour: nothing until minute 59, then to minute 62. Nothing known: 5 minutes.
 */
export const keepWhileWorth =
  (worthMs: number): KeepWarm =>
  (idle) => {
    assert(worthMs >= 0, "nothing is worth less than nothing");
    const worthMinutes = worthMs / minuteMs;
    const spans: { from: number; to: number; chance: number }[] = [];
    let survivors = priorWeight + idle.total;
    for (let minute = 0; minute < idleMinutesMax && survivors > 0; minute++) {
      const over = smoothed(idle, minute) + priorWeight * (priorSurvival(minute) - priorSurvival(minute + 1));
      const chance = Math.min(1, over / survivors);
      survivors -= over;
      if (chance * worthMinutes < 1) continue;
      const last = spans.at(-1);
      if (minute - (last?.to ?? 0) >= mergeMinutes) spans.push({ from: minute, to: minute + 1, chance });
      else if (last === undefined) spans.push({ from: 0, to: minute + 1, chance });
      else {
        last.to = minute + 1;
        last.chance = Math.max(last.chance, chance);
      }
    }
    return spans.map(({ from, to, chance }) => ({
      fromMs: Math.max(0, from * minuteMs - leadMs),
      toMs: to * minuteMs,
      why: whyWorth({ from, to, chance }, worthMinutes),
    }));
  };

function smoothed(idle: IdleTimes, minute: number): number {
  // What would be lent to a minute before the first stays in the first.
  const before = minute === 0 ? idle.weight(0) : idle.weight(minute - 1);
  // All that are longer than the histogram are no neighbours of its last minute.
  const after = minute + 1 < idleMinutesMax ? idle.weight(minute + 1) : 0;
  return kernel[0] * before + kernel[1] * idle.weight(minute) + kernel[2] * after;
}

function whyWorth(
  { from, to, chance }: { readonly from: number; readonly to: number; readonly chance: number },
  worth: number,
): string {
  const percent = (chance * 100).toFixed(0);
  return `idle for ${from} to ${to} minutes: up to ${percent} % chance of a request in the next minute, and a cold start is worth ${Number(worth.toFixed(2))} minutes of a warm pod`;
}
