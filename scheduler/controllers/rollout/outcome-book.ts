import type { LoadReport } from "@shallop/sdk/wire";

export interface Outcomes {
  readonly requests: number;
  readonly failures: number;
}

const nothing: Outcomes = { requests: 0, failures: 0 };
// Revisions of a busy cluster; what is dropped is counted from zero again.
const revisionsMax = 50_000;

/** How many requests of each revision gateways have told of, and how many of them failed; since this process began. */
export class OutcomeBook {
  readonly #outcomes = new Map<string, Outcomes>();
  readonly #baselines = new Map<string, { readonly step: string; readonly from: Outcomes }>();

  report({ revisions }: LoadReport): void {
    for (const { namespace, revision, requestCount, failureCount = 0 } of revisions) {
      const key = `${namespace}/${revision}`;
      const { requests, failures } = this.#outcomes.get(key) ?? nothing;
      this.#outcomes.set(key, { requests: requests + requestCount, failures: failures + failureCount });
      const [oldest] = this.#outcomes.keys();
      if (this.#outcomes.size > revisionsMax && oldest !== undefined) this.#outcomes.delete(oldest);
    }
  }

  /** Of a revision since `step` of a rollout was first asked about. */
  since(revision: string, step: string): Outcomes {
    const now = this.#outcomes.get(revision) ?? nothing;
    let baseline = this.#baselines.get(revision);
    if (baseline?.step !== step) {
      baseline = { step, from: now };
      this.#baselines.set(revision, baseline);
    }
    return { requests: now.requests - baseline.from.requests, failures: now.failures - baseline.from.failures };
  }

  forget(revision: string): void {
    this.#outcomes.delete(revision);
    this.#baselines.delete(revision);
  }
}
