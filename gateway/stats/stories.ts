import { type Clock, describeError, type Log, type Timer } from "@shallop/sdk/internal";

// A person asks moments after it happened, and not within the same second.
const intervalMs = 1_000;
/** In one second. More failures than that are one failure, and these tell of it; nobody reads more traces. */
const pendingMaxDefault = 200;
const sendTimeoutMs = 5_000;
// A control plane that starts again is there within seconds; one that takes none of these never will.
const triesMax = 30;

export interface StoriesOptions<Story> {
  readonly clock: Clock;
  readonly log: Log;
  /** Hands stories to the control plane, which keeps them for those who ask. */
  readonly send: (stories: readonly Story[], signal: AbortSignal) => Promise<void>;
  /** In one second; more are not told. */
  readonly pendingMax?: number;
}

/** Stories of requests, on their way to whoever may ask for them: of those that failed, or that were traced. */
export class Stories<Story> {
  readonly #options: StoriesOptions<Story>;
  readonly #pendingMax: number;
  readonly #closed = new AbortController();
  readonly #ticker: Timer;
  #pending: Story[] = [];
  #left = 0;
  #sending = false;
  /** In vain, one after the other. */
  #tries = 0;

  constructor(options: StoriesOptions<Story>) {
    this.#options = options;
    this.#pendingMax = options.pendingMax ?? pendingMaxDefault;
    this.#ticker = options.clock.every(intervalMs, () => void this.#send());
  }

  add(story: Story): void {
    if (this.#pending.length < this.#pendingMax) this.#pending.push(story);
    else this.#left++;
  }

  close(): void {
    this.#ticker.cancel();
    this.#closed.abort();
  }

  async #send(): Promise<void> {
    if (this.#sending || this.#pending.length === 0) return;
    this.#sending = true;
    const stories = this.#pending;
    this.#pending = [];
    const { clock, log, send } = this.#options;
    const late = new AbortController();
    const timer = clock.after(sendTimeoutMs, () => late.abort(new Error("the control plane did not answer in time")));
    try {
      await send(stories, AbortSignal.any([late.signal, this.#closed.signal]));
      if (this.#left > 0) log.warn("there were more stories than are told one by one", { left: this.#left });
      this.#left = 0;
      this.#tries = 0;
    } catch (error) {
      // Requests are served meanwhile; it is the load report that says that the control plane is away.
      log.debug("stories of requests were not taken", { count: stories.length, reason: describeError(error) });
      this.#keep(stories);
    } finally {
      timer.cancel();
      this.#sending = false;
    }
  }

  /** They are told again: whoever has taken them all the same knows them by their ids. */
  #keep(stories: Story[]): void {
    this.#tries++;
    if (this.#tries === triesMax) {
      this.#tries = 0;
      return;
    }
    const all = [...stories, ...this.#pending];
    this.#pending = all.slice(0, this.#pendingMax);
    this.#left += all.length - this.#pending.length;
  }
}
