import type { RevisionLoad } from "@shallop/sdk/wire";
import { Histogram } from "./histogram.ts";

/** A request's place in the count; handed back with `left`. */
export interface LoadEntry {
  readonly revision: string;
}

export interface RevisionNow {
  readonly namespace: string;
  readonly revision: string;
  /** Requests that are in the gateway. */
  readonly concurrency: number;
  /** Requests that are over, since the gateway first saw the revision; and how long they took, queue included. */
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Meter extends LoadEntry {
  readonly namespace: string;
  concurrency: number;
  /** Integral of the concurrency over time since the last report: request-milliseconds. */
  area: number;
  /** When `area` was brought up to date. */
  atMs: number;
  sinceMs: number;
  arrived: number;
  failed: number;
  /** The last report said that something was going on: one more has to say that it is over. */
  reported: boolean;
  readonly latency: Histogram;
}

/**
 * Requests in the gateway by revision: how many at once, averaged over time, and how many have come. Times are given
 * by the caller, monotonic milliseconds.
 */
export class LoadMeter {
  readonly #meterByRevision = new Map<string, Meter>();

  /** A request has arrived. `key` is `NAMESPACE/NAME` of the revision. */
  arrived(key: string, nowMs: number): LoadEntry {
    const meter = this.#meter(key, nowMs);
    advance(meter, nowMs);
    meter.concurrency++;
    meter.arrived++;
    return meter;
  }

  /** It is over: answered, failed, or left by its client. */
  left(
    entry: LoadEntry,
    nowMs: number,
    { latencyMs, hasFailed }: { readonly latencyMs: number; readonly hasFailed: boolean },
  ): void {
    const meter = entry as Meter;
    if (hasFailed) meter.failed++;
    advance(meter, nowMs);
    meter.concurrency--;
    meter.latency.add(latencyMs);
  }

  /** Loads since the last call, of revisions with news; a revision that fell silent is told once more, with zeros. */
  report(nowMs: number, waiting: (key: string) => number): readonly RevisionLoad[] {
    const loads: RevisionLoad[] = [];
    for (const [key, meter] of this.#meterByRevision) {
      advance(meter, nowMs);
      const busy = meter.concurrency > 0 || meter.arrived > 0 || meter.failed > 0 || meter.area > 0;
      // The pods of a Service of core/v1 are nobody's to scale.
      const isScaled = !meter.revision.includes(":");
      if (isScaled && (busy || meter.reported)) loads.push(load(meter, nowMs, waiting(key)));
      meter.reported = busy;
      restart(meter, nowMs);
    }
    return loads;
  }

  /** A report of these did not arrive: a revision that has fallen silent since is told once more. */
  undelivered(loads: readonly RevisionLoad[]): void {
    for (const { namespace, revision } of loads) {
      const meter = this.#meterByRevision.get(`${namespace}/${revision}`);
      if (meter !== undefined) meter.reported = true;
    }
  }

  /** What is going on now, by revision. */
  now(): readonly RevisionNow[] {
    return [...this.#meterByRevision.values()].map(({ namespace, revision, concurrency, latency }) => ({
      namespace,
      revision,
      concurrency,
      requests: latency.count,
      p50Ms: latency.quantileMs(0.5),
      p99Ms: latency.quantileMs(0.99),
    }));
  }

  /** The revision is gone. Requests of it that still run are not counted any more. */
  forget(key: string): void {
    this.#meterByRevision.delete(key);
  }

  #meter(key: string, nowMs: number): Meter {
    let meter = this.#meterByRevision.get(key);
    if (meter === undefined) {
      const slash = key.indexOf("/");
      meter = {
        namespace: key.slice(0, slash),
        revision: key.slice(slash + 1),
        concurrency: 0,
        area: 0,
        atMs: nowMs,
        sinceMs: nowMs,
        arrived: 0,
        failed: 0,
        reported: false,
        latency: new Histogram(),
      };
      this.#meterByRevision.set(key, meter);
    }
    return meter;
  }
}

function advance(meter: Meter, nowMs: number): void {
  meter.area += meter.concurrency * (nowMs - meter.atMs);
  meter.atMs = nowMs;
}

function load(meter: Meter, nowMs: number, waiting: number): RevisionLoad {
  const periodMs = nowMs - meter.sinceMs;
  return {
    namespace: meter.namespace,
    revision: meter.revision,
    // A period of no length has an average of what is there now.
    averageConcurrency: periodMs > 0 ? meter.area / periodMs : meter.concurrency,
    requestCount: meter.arrived,
    failureCount: meter.failed,
    latencies: meter.latency.recent(),
    periodMs,
    waiting,
  };
}

function restart(meter: Meter, nowMs: number): void {
  meter.area = 0;
  meter.atMs = nowMs;
  meter.sinceMs = nowMs;
  meter.arrived = 0;
  meter.failed = 0;
}
