/** The value below which a share of the samples lies; 0.5 is the median. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** One figure a line: what, value, and what it is to be compared with. */
export function figure(what: string, value: string, beside = ""): void {
  console.log(`  ${what.padEnd(52)} ${value.padStart(14)}   ${beside}`);
}
