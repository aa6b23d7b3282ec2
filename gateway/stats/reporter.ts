import { type Clock, describeError, type Log, type Timer } from "@shallop/sdk/internal";
import type { LoadAnswer, LoadReport } from "@shallop/sdk/wire";
import type { LoadMeter } from "./load.ts";

// Knative scrapes each second, and its windows have buckets of a second.
const intervalMs = 1_000;
// The request that waits has asked a node already: the processor is its own until the pod has answered. And a burst of new
// revisions makes a few reports, not thousands.
const pokeIntervalMs = 100;
// Without load: so that the control plane, and by it the other gateways, know that this one lives.
const heartbeatMs = 3_000;
// A report that takes longer is of no use: newer ones say more.
const sendTimeoutMs = 2_000;

export interface ReporterOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: LoadMeter;
  /** Identity of this process in reports. */
  readonly gateway: string;
  /** `HOST:PORT` where other gateways reach it. */
  readonly peerAddress: () => string | undefined;
  /** Hears what the control plane says in return. */
  readonly answered: (answer: LoadAnswer) => void;
  readonly waiting: (revision: string) => number;
  /** Hands a report to the control plane. */
  readonly send: (report: LoadReport, signal: AbortSignal) => Promise<LoadAnswer | undefined>;
}

/**
 * Tells the control plane of load, each second and when it is poked. One report is under way at a time; what cannot be
 * delivered is dropped, for a late report is a wrong one.
 */
export class LoadReporter {
  readonly #options: ReporterOptions;
  readonly #closed = new AbortController();
  readonly #ticker: Timer;
  #poke: Timer | undefined;
  #sending = false;
  #pokedMeanwhile = false;
  #away = false;
  #isLeaving = false;
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#ticker = options.clock.every(intervalMs, () => this.#report());
  }

  /** A request waits for a revision without a pod: reports at once. */
  poke(): void {
    if (this.#sending) this.#pokedMeanwhile = true;
    else this.#poke ??= this.#options.clock.after(pokeIntervalMs, () => this.#report());
  }

  /** There is something to say beside load. */
  announce(): void {
    this.#saidMs = Number.NEGATIVE_INFINITY;
    this.poke();
  }

  /** New connections go to other gateways from now on. Said at once: the process may end soon. */
  leave(): void {
    this.#isLeaving = true;
    this.#saidMs = Number.NEGATIVE_INFINITY;
    if (this.#sending) this.#pokedMeanwhile = true;
    else this.#report();
  }

  close(): void {
    this.#ticker.cancel();
    this.#poke?.cancel();
    this.#closed.abort();
  }

  #report(): void {
    this.#poke?.cancel();
    this.#poke = undefined;
    const { meter, clock, gateway, peerAddress, waiting } = this.#options;
    if (this.#sending || this.#closed.signal.aborted) return;
    const nowMs = clock.nowMs();
    const revisions = meter.report(nowMs, waiting);
    if (revisions.length === 0 && nowMs - this.#saidMs < heartbeatMs) return;
    this.#saidMs = nowMs;
    const address = peerAddress();
    void this.#send({
      gateway,
      ...(address === undefined ? {} : { peerAddress: address }),
      ...(this.#isLeaving ? { isLeaving: true } : {}),
      revisions,
    });
  }

  async #send(report: LoadReport): Promise<void> {
    this.#sending = true;
    const { clock, log, meter, send, answered } = this.#options;
    const late = new AbortController();
    const timer = clock.after(sendTimeoutMs, () => late.abort(new Error("the control plane did not answer in time")));
    try {
      const answer = await send(report, AbortSignal.any([late.signal, this.#closed.signal]));
      if (answer !== undefined) answered(answer);
      if (this.#away) log.info("the control plane takes load reports again");
      this.#away = false;
    } catch (error) {
      // Said once; requests are served from what is known meanwhile.
      if (!this.#away) log.warn("the control plane takes no load reports", { reason: describeError(error) });
      this.#away = true;
      meter.undelivered(report.revisions);
    } finally {
      timer.cancel();
      this.#sending = false;
      if (this.#pokedMeanwhile && !this.#closed.signal.aborted) {
        this.#pokedMeanwhile = false;
        this.poke();
      }
    }
  }
}
