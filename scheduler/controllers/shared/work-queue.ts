import { assert, type Clock, errorCode, type Log, type Timer } from "@shallop/sdk/internal";
import type { Buckets, Family } from "@shallop/sdk/internal/telemetry";

/** What the API answers when the world has moved on since it was looked at; Forbidden: the namespace is on its way out. */
const raceCodes: ReadonlySet<string> = new Set(["Conflict", "AlreadyExists", "NotFound", "Forbidden"]);

export interface WorkQueueOptions {
  /** For logs. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Keys that are worked on at the same time; one key never twice. */
  readonly concurrency: number;
  /** By name, and by the code of a failure. */
  readonly durations?: Family<Buckets>;
  /**
   * Brings the world nearer to what is wanted for `key`; safe to repeat. Resolves with the time after which it wants to
   * look again even if nothing changes; undefined: not before something does.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>;
}

/** The first retry is quick: most failures are races that are over by then. */
const backoffMsMin = 100;
/** As client-go's rate limiter does at its end, but sooner: a person waits for what was repaired. */
const backoffMsMax = 30_000;
/** A key whose write lost a race is looked at again as soon as the winner's write has been seen. */
const conflictMs = 20;

/**
 * Keys that want to be looked at, each once however often it was added (level-triggered). A failure is logged and the
 * key tried again after a growing pause; nothing that a key does stops the others.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  /** Added while it was worked on. */
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { readonly timer: Timer; readonly atMs: number }>();
  readonly #failures = new Map<string, number>();
  readonly #stop = new AbortController();
  #isStarted = false;
  #idle: (() => void) | undefined;

  constructor(options: WorkQueueOptions) {
    assert(options.concurrency >= 1, "somebody has to work");
    this.#options = options;
  }

  /** Keys that wait. */
  get depth(): number {
    return this.#waiting.size;
  }

  /** Begins to work. Before, keys are only collected: half of the world is no world to plan in. */
  start(): void {
    this.#isStarted = true;
    this.#next();
  }

  /** Something about `key` is not as it was. */
  add(key: string): void {
    if (this.#stop.signal.aborted) return;
    if (this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#waiting.add(key);
    this.#next();
  }

  /** Looks at `key` after `delayMs`, or earlier if something adds it. The earliest of several times counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    const { clock } = this.#options;
    const atMs = clock.nowMs() + delayMs;
    const set = this.#timers.get(key);
    if (set !== undefined && set.atMs <= atMs) return;
    set?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { timer, atMs });
  }

  /** Ends what runs by its signal; resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error(`${this.#options.name} stops`));
    for (const { timer } of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#waiting.clear();
    if (this.#running.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  #next(): void {
    if (!this.#isStarted || this.#stop.signal.aborted) return;
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return;
      this.#waiting.delete(key);
      this.#running.add(key);
      void this.#work(key);
    }
  }

  async #work(key: string): Promise<void> {
    // Not within the call that added it: events are told in the middle of other work.
    await Promise.resolve();
    const startMs = this.#options.clock.nowMs();
    try {
      this.#stop.signal.throwIfAborted();
      // What was added until now is seen by this look.
      this.#again.delete(key);
      const againMs = await this.#options.reconcile(key, this.#stop.signal);
      this.#took(startMs, "");
      this.#failures.delete(key);
      if (againMs !== undefined) this.addAfter(key, againMs);
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        this.#took(startMs, errorCode(error) ?? "UNKNOWN");
        this.#failed(key, error);
      }
    }
    this.#running.delete(key);
    if (this.#again.delete(key)) this.add(key);
    this.#next();
    if (this.#running.size === 0) this.#idle?.();
  }

  #took(startMs: number, error: string): void {
    const { durations, name, clock } = this.#options;
    durations?.of(name, error).record((clock.nowMs() - startMs) / 1000);
  }

  #failed(key: string, error: unknown): void {
    const { name, log } = this.#options;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const code = errorCode(error);
    const isRace = raceCodes.has(code ?? "");
    if (isRace && failures <= 3) {
      log.debug(`${name}: another write came first`, { key, code });
      this.addAfter(key, conflictMs);
      return;
    }
    const delayMs = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(failures - 1, 20));
    log.error(`${name}: could not be reconciled; tried again in ${String(delayMs)} ms`, error, { key, failures });
    this.addAfter(key, delayMs);
  }
}
