import { putLoad, type LoadResult } from "./load.ts";
import type { Platform } from "./platform.ts";

/** Somebody who calls a function all the time, and keeps count of how he is answered. */
export interface SteadyCaller {
  /** Ends the calls. Every answer that was no 200, every connection that broke, and the slowest answer. */
  stop(): Promise<{
    readonly requests: number;
    readonly failed: number;
    readonly p99Ms: number;
    readonly said: string;
  }>;
}

export interface SteadyCallerOptions {
  readonly path?: string;
  readonly connections?: number;
  /** Between two rounds: a caller that leaves the machine to those who are tested. */
  readonly pauseMs?: number;
  readonly headerLines?: string;
}

/** One request on each connection, a short pause, and again, until it is stopped. */
export function callSteadily(platform: Platform, host: string, options: SteadyCallerOptions = {}): SteadyCaller {
  const { path = "/", connections = 1, pauseMs = 20, headerLines } = options;
  const rounds: LoadResult[] = [];
  const stopping = new AbortController();
  const goOn = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      rounds.push(
        await putLoad({
          port: platform.ports.gateway,
          host: `${host}.localhost`,
          path,
          connections,
          requestsMax: connections,
          durationMs: 30_000,
          ...(headerLines === undefined ? {} : { headerLines }),
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const calling = goOn();
  return {
    stop: async () => {
      stopping.abort();
      await calling;
      const requests = rounds.reduce((sum, round) => sum + round.requests + round.broken, 0);
      const answered = rounds.reduce((sum, { statuses }) => sum + (statuses["200"] ?? 0), 0);
      const latencies = rounds.map(({ p99Ms }) => p99Ms).toSorted((a, b) => a - b);
      const statuses: Record<string, number> = {};
      for (const round of rounds)
        for (const [status, count] of Object.entries(round.statuses))
          statuses[status] = (statuses[status] ?? 0) + count;
      const broken = rounds.reduce((sum, round) => sum + round.broken, 0);
      return {
        requests,
        failed: requests - answered,
        p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
        said: `${JSON.stringify(statuses)}, ${broken} broken`,
      };
    },
  };
}
