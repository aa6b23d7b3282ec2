import type { LoadReport, RevisionLoad } from "@shallop/sdk/wire";
import type { LoadSample } from "../../autoscale/signals.ts";

/** A gateway with traffic reports each second; one that misses five reports has died or lost its way. */
export const gatewaySilentMsMax = 5_000;
/** Each holds a connection to the API server; more are a mistake in somebody's loop. */
const gatewaysMax = 1_000;

/** Load of one revision at one gateway since the last sample. */
interface Entry {
  /** Integrals since the last sample. */
  requestMs: number;
  requests: number;
  periodMs: number;
  /** Of the newest report; holds while there is none since the last sample. */
  concurrency: number;
  rps: number;
  waiting: number;
}

interface Gateway {
  seenMs: number;
  readonly entries: Map<string, Entry>;
}

/** What gateways can tell. */
type SampledLoad = Required<Pick<LoadSample, "concurrency" | "rps" | "queue">>;

/** Reports of several gateways, as one load per revision. Times are given, monotonic milliseconds. */
export class LoadBook {
  readonly #gateways = new Map<string, Gateway>();

  /** Notes a report. Returns the keys of revisions with requests that wait for a pod. */
  report({ gateway: name, revisions }: LoadReport, nowMs: number): readonly string[] {
    const gateway = this.#gateways.get(name) ?? { seenMs: nowMs, entries: new Map<string, Entry>() };
    // In order of their last report, so that the first is the one to be dropped.
    this.#gateways.delete(name);
    this.#gateways.set(name, gateway);
    gateway.seenMs = nowMs;
    if (this.#gateways.size > gatewaysMax) {
      const [oldest] = this.#gateways.keys();
      if (oldest !== undefined) this.#gateways.delete(oldest);
    }
    const waiting: string[] = [];
    for (const load of revisions) {
      const key = `${load.namespace}/${load.revision}`;
      note(gateway.entries, key, load);
      if (load.waiting > 0) waiting.push(key);
    }
    return waiting;
  }

  /** The load of each revision since the last sample, summed over gateways. Revisions without load are left out. */
  sample(nowMs: number): ReadonlyMap<string, SampledLoad> {
    const loads = new Map<string, { -readonly [Name in keyof SampledLoad]: number }>();
    for (const [name, gateway] of this.#gateways) {
      if (nowMs - gateway.seenMs > gatewaySilentMsMax) {
        this.#gateways.delete(name);
        continue;
      }
      for (const [key, entry] of gateway.entries) {
        const { concurrency, rps, queue } = taken(entry);
        if (entry.concurrency === 0 && entry.waiting === 0 && entry.rps === 0) gateway.entries.delete(key);
        const sum = loads.get(key) ?? { concurrency: 0, rps: 0, queue: 0 };
        sum.concurrency += concurrency;
        sum.rps += rps;
        sum.queue += queue;
        loads.set(key, sum);
      }
    }
    return loads;
  }

  /** The load of one revision at this moment: what its newest reports say, and at least the requests that wait. */
  now(key: string, nowMs: number): SampledLoad {
    let concurrency = 0;
    let rps = 0;
    let queue = 0;
    for (const { seenMs, entries } of this.#gateways.values()) {
      const entry = nowMs - seenMs > gatewaySilentMsMax ? undefined : entries.get(key);
      if (entry === undefined) continue;
      // A request that came a moment ago is a small average over the whole second.
      concurrency += Math.max(entry.concurrency, entry.waiting);
      rps += Math.max(entry.rps, entry.waiting);
      queue += entry.waiting;
    }
    return { concurrency, rps, queue };
  }
}

function note(entries: Map<string, Entry>, key: string, load: RevisionLoad): void {
  const { averageConcurrency, requestCount, periodMs, waiting } = load;
  const entry = entries.get(key) ?? { requestMs: 0, requests: 0, periodMs: 0, concurrency: 0, rps: 0, waiting: 0 };
  entries.set(key, entry);
  entry.requestMs += averageConcurrency * periodMs;
  entry.requests += requestCount;
  entry.periodMs += periodMs;
  entry.concurrency = averageConcurrency;
  entry.rps = periodMs > 0 ? (requestCount * 1000) / periodMs : requestCount;
  entry.waiting = waiting;
}

/** The averages since the last sample; of the last report when there was none since. Begins the next sample. */
function taken(entry: Entry): SampledLoad {
  const { requestMs, requests, periodMs, waiting: queue } = entry;
  entry.requestMs = 0;
  entry.requests = 0;
  entry.periodMs = 0;
  if (periodMs === 0) return { concurrency: entry.concurrency, rps: entry.rps, queue };
  return { concurrency: requestMs / periodMs, rps: (requests * 1000) / periodMs, queue };
}
