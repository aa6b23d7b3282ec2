import type { Random } from "@shallop/sdk/internal";
import type { Trace, TracedFunction } from "./trace.ts";

const dayMinutes = 1440;
const weekMinutes = 7 * dayMinutes;

/** What functions are called by, and how many of a hundred are (after Shahrad et al., "Serverless in the Wild", ATC '20, section 3). */
const kinds: readonly { readonly share: number; readonly make: (minutes: number, random: Random) => number[] }[] = [
  // Timers: each quarter, each hour, each day, some late by a minute or two.
  { share: 30, make: (minutes, random) => timer(minutes, pick([5, 10, 15, 30, 60, 120, 1440], random), random) },
  // People: more by day than by night, hardly any at the weekend.
  { share: 30, make: (minutes, random) => people(minutes, 0.002 * 10 ** (2 * fraction(random)), random) },
  // Queues: nothing for long, then a hundred within minutes.
  { share: 20, make: (minutes, random) => bursts(minutes, 60 + random.below(600), random) },
  // Hardly ever.
  { share: 15, make: (minutes, random) => people(minutes, 0.001, random) },
  // Always.
  { share: 5, make: (minutes, random) => people(minutes, 5 + random.below(40), random) },
];

/** A trace that is the same for the same chance. */
export function generateTrace(options: {
  readonly functions: number;
  readonly days: number;
  readonly random: Random;
}): Trace {
  const { functions, days, random } = options;
  const made = Array.from({ length: functions }, (_none, index): TracedFunction => {
    const kind = kindAt(((index + 0.5) / functions) * 100);
    return {
      name: `f${String(index)}`,
      // Half of all functions are done within a second; a few take a minute.
      durationMs: Math.round(20 * 10 ** (2.5 * fraction(random))),
      memoryMib: pick([64, 96, 128, 128, 170, 256, 512], random),
      counts: kind(days * dayMinutes, random),
    };
  });
  return { name: `generated: ${String(functions)} functions, ${String(days)} days`, functions: made };
}

function kindAt(percent: number): (minutes: number, random: Random) => number[] {
  let sum = 0;
  for (const { share, make } of kinds) {
    sum += share;
    if (percent < sum) return make;
  }
  return () => [];
}

/** In [0, 1). */
const fraction = (random: Random): number => random.below(2 ** 30) / 2 ** 30;
const pick = <T>(values: readonly T[], random: Random): T => values[random.below(values.length)] as T;

function timer(minutes: number, period: number, random: Random): number[] {
  const counts = Array.from({ length: minutes }, () => 0);
  const jitter = random.below(3);
  for (let minute = random.below(period); minute < minutes; minute += period) {
    const at = minute + random.below(jitter + 1);
    if (at < minutes) counts[at] = 1;
  }
  return counts;
}

function people(minutes: number, perMinute: number, random: Random): number[] {
  return Array.from({ length: minutes }, (_none, minute) => {
    const hour = (minute % dayMinutes) / 60;
    const isWeekend = minute % weekMinutes >= 5 * dayMinutes;
    const level = (hour >= 8 && hour < 20 ? 1.7 : 0.3) * (isWeekend ? 0.3 : 1.2);
    return poisson(perMinute * level, random);
  });
}

function bursts(minutes: number, apart: number, random: Random): number[] {
  const counts = Array.from({ length: minutes }, () => 0);
  let minute = random.below(apart);
  while (minute < minutes) {
    for (let end = minute + 1 + random.below(8); minute < end && minute < minutes; minute++)
      counts[minute] = 1 + random.below(60);
    minute += 1 + Math.ceil(-Math.log(1 - fraction(random)) * apart);
  }
  return counts;
}

/** Knuth's method; the means here are small. */
function poisson(mean: number, random: Random): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = fraction(random); product > limit; product *= fraction(random)) count++;
  return count;
}
