import { readdir } from "node:fs/promises";
import type { Clock, Log } from "@shallop/sdk/internal";
import { fillCompileCache } from "./compile-cache.ts";
import type { Host } from "./known-host.ts";

export interface BlankHostSettings {
  /** Starts one. */
  readonly spawn: () => Promise<Host>;
  /** Directory of Node's compile cache of our own programs. */
  readonly compileCache: string;
  /** The cache has been filled: what else starts with it may. */
  readonly filled: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

// What nobody asks for yet would want the processors of an agent that starts. The cache may be of other code, and mostly is not.
const blankDelayMs = 250;
const refillDelayMs = 10_000;
// The next one is made when the start that has taken the last is over.
const nextDelayMs = 100;
// One that died may have died of something that lasts.
const againDelayMs = 1000;

/** A host process that is nobody's yet, so that no pod waits for one; there is always one, from a moment after the start on. */
export class BlankHost {
  readonly #settings: BlankHostSettings;
  #blank: Promise<Host> | undefined;
  #filling: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(settings: BlankHostSettings) {
    this.#settings = settings;
  }

  /** The directory of the cache is there. */
  async open(): Promise<void> {
    const { clock, compileCache } = this.#settings;
    // With an empty cache it is waited for: a pod that is wanted meanwhile gets a process that starts more slowly.
    const isEmpty = (await readdir(compileCache)).length === 0;
    if (!isEmpty) clock.after(blankDelayMs, () => this.#ensure());
    clock.after(isEmpty ? 0 : refillDelayMs, () => void this.#fill());
  }

  /** It is somebody's from now on. */
  take(): Promise<Host> {
    const blank = this.#blank ?? this.#settings.spawn();
    this.#blank = undefined;
    this.#settings.clock.after(nextDelayMs, () => this.#ensure());
    return blank;
  }

  /** It has ended. */
  lost(): void {
    this.#blank = undefined;
    this.#settings.clock.after(againDelayMs, () => this.#ensure());
  }

  /** There is none any more. @returns the last, unless it is somebody's; it is to be ended */
  async close(): Promise<Host | undefined> {
    this.#closed = true;
    await this.#filling;
    const blank = await this.#blank?.catch(() => undefined);
    return blank?.namespace === undefined ? blank : undefined;
  }

  async #fill(): Promise<void> {
    const { compileCache, log, filled } = this.#settings;
    if (this.#closed) return;
    await (this.#filling = fillCompileCache(compileCache, log));
    this.#ensure();
    filled();
  }

  #ensure(): void {
    if (this.#closed || this.#blank !== undefined) return;
    this.#blank = this.#settings.spawn();
    this.#blank.catch((error: unknown) => {
      this.#blank = undefined;
      this.#settings.log.error("a host process could not be started", error);
    });
  }
}
