/** How long to wait before a program that died is started again. Pure. */
export interface RestartState {
  /** Deaths in a row, each soon after its start. */
  readonly failures: number;
}

export const freshRestartState: RestartState = { failures: 0 };

/** First wait: shorter than a person notices. */
const delayMsMin = 100;
/** Longest wait: a program that cannot run is tried six times a minute, which costs nothing and is seen at once. */
const delayMsMax = 10_000;
/** A program that was ready for this long was healthy; its next death is a new story. To start again costs a tenth of it. */
const healthyAfterMs = 10_000;

/** `servedMs`: since it was ready; 0 for one that never was, however long it has tried. */
export function afterDeath(
  state: RestartState,
  servedMs: number,
): { readonly state: RestartState; readonly delayMs: number } {
  const failures = servedMs >= healthyAfterMs ? 1 : state.failures + 1;
  return { state: { failures }, delayMs: Math.min(delayMsMax, delayMsMin * 2 ** Math.min(failures - 1, 16)) };
}
