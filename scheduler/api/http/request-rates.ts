import type { LoadReport, RevisionLoad, RevisionRate } from "@shallop/sdk/wire";

/** Rates are of so long: gateways report each second, and one that has just fallen silent still shows. */
const windowMs = 10_000;
/** A cluster has some thousand; a gateway that makes up names does not fill the memory. */
const revisionsMax = 10_000;

interface Reported {
  readonly atMs: number;
  readonly load: RevisionLoad;
}

/** What goes through all gateways, by revision, as it was in the last seconds. For `shallop top`. */
export class RequestRates {
  readonly #reportedByRevision = new Map<string, Reported[]>();

  report({ revisions }: LoadReport, nowMs: number): void {
    for (const load of revisions) {
      const key = `${load.namespace}/${load.revision}`;
      const known = this.#reportedByRevision.get(key);
      if (known === undefined && this.#reportedByRevision.size >= revisionsMax) continue;
      const recent = fresh(known ?? [], nowMs);
      recent.push({ atMs: nowMs, load });
      this.#reportedByRevision.set(key, recent);
    }
  }

  /** Of the revisions that had requests, the busiest first. */
  now(nowMs: number, namespace?: string): readonly RevisionRate[] {
    const rates: RevisionRate[] = [];
    for (const [key, reported] of this.#reportedByRevision) {
      const recent = fresh(reported, nowMs);
      if (recent.length === 0) this.#reportedByRevision.delete(key);
      else if (namespace === undefined || key.startsWith(`${namespace}/`)) rates.push(rateOf(recent));
    }
    return rates.toSorted((one, other) => other.requestsPerSecond - one.requestsPerSecond);
  }
}

const fresh = (reported: readonly Reported[], nowMs: number): Reported[] =>
  reported.filter(({ atMs }) => nowMs - atMs < windowMs);

function rateOf(recent: readonly Reported[]): RevisionRate {
  const { namespace = "", revision = "" } = recent[0]?.load ?? {};
  const counts = new Map<number, number>();
  let [requests, failures, requestMs] = [0, 0, 0];
  for (const { load } of recent) {
    requests += load.requestCount;
    failures += load.failureCount ?? 0;
    requestMs += load.averageConcurrency * load.periodMs;
    for (const [upToMs, count] of load.latencies ?? []) counts.set(upToMs, (counts.get(upToMs) ?? 0) + count);
  }
  const seconds = windowMs / 1_000;
  const latencies = [...counts].toSorted(([one], [other]) => one - other);
  return {
    ...{ namespace, revision },
    requestsPerSecond: requests / seconds,
    failuresPerSecond: failures / seconds,
    concurrency: requestMs / windowMs,
    waiting: recent.at(-1)?.load.waiting ?? 0,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

/** Worked: of [[1, 3], [2, 1]] the half is at most 1, and 99 % at most 2. */
function quantile(latencies: readonly (readonly [upToMs: number, count: number])[], share: number): number {
  const rank = share * latencies.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [upToMs, count] of latencies) {
    seen += count;
    if (seen >= rank) return upToMs;
  }
  return 0;
}
