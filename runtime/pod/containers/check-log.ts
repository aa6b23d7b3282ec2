import type { CheckResult } from "@shallop/sdk/wire";

/** As many as Docker keeps, and as much of what each said. */
const resultsMax = 5;
const outputCharsMax = 4096;

/** What the readiness probe of a run has found lately. */
export class CheckLog {
  #results: readonly CheckResult[] = [];
  #failingStreak = 0;

  /** The oldest first. */
  get results(): readonly CheckResult[] {
    return this.#results;
  }

  /** Failures since the last success. */
  get failingStreak(): number {
    return this.#failingStreak;
  }

  add(result: CheckResult): void {
    const output = result.output.slice(0, outputCharsMax);
    this.#results = [...this.#results, { ...result, output }].slice(-resultsMax);
    this.#failingStreak = result.exitCode === 0 ? 0 : this.#failingStreak + 1;
  }
}
