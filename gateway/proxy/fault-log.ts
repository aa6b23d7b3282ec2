import type { Clock, Log, Timer } from "@shallop/sdk/internal";
import type { GatewayFaultCode } from "./fault-status.ts";

// Long enough that a service which always fails says so a few times a minute, not with each request.
const intervalMs = 10_000;
// Kinds of failure that are told apart in one interval; more are an outage, which the first ones have told of.
const kindsMax = 100;

interface Tally {
  readonly revision: string;
  readonly code: GatewayFaultCode;
  count: number;
}

/** Logs the first failure of a kind at once, and how many more there were after a while. */
export class FaultLog {
  readonly #log: Log;
  readonly #ticker: Timer;
  readonly #tallyByKind = new Map<string, Tally>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#ticker = clock.every(intervalMs, () => this.#flush());
  }

  add(code: GatewayFaultCode, request: { readonly id: string; readonly revision: string }, message: string): void {
    const kind = `${request.revision} ${code}`;
    const tally = this.#tallyByKind.get(kind);
    if (tally !== undefined) tally.count++;
    else if (this.#tallyByKind.size < kindsMax) {
      this.#tallyByKind.set(kind, { revision: request.revision, code, count: 0 });
      this.#log.warn("a request failed", { requestId: request.id, revision: request.revision, code, reason: message });
    }
  }

  close(): void {
    this.#ticker.cancel();
    this.#flush();
  }

  #flush(): void {
    for (const { revision, code, count } of this.#tallyByKind.values()) {
      if (count > 0) this.#log.warn("more requests failed", { revision, code, count });
    }
    this.#tallyByKind.clear();
  }
}
