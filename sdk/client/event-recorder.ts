import type { Event } from "../api/core.ts";
import type { ApiObject, NewObject } from "../api/meta.ts";
import { events } from "../api/resources.ts";
import { type Clock, rfc3339, systemClock } from "../internal/clock.ts";
import { errorCode, Fault } from "../internal/fault.ts";
import { type Log, silentLog } from "../internal/log.ts";
import { type Random, systemRandom } from "../internal/random.ts";
import { backoffMs } from "./backoff.ts";
import type { ApiClient } from "./client.ts";

/** What an event is about: core/v1 ObjectReference. */
export type ObjectReference = Event["involvedObject"];

export interface EventRecorderOptions {
  /** Who tells: `shallop-scheduler`, `shallop-agent`. */
  readonly component: string;
  /** The node, for agents. */
  readonly host?: string;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
}

/** One event that waits to be written, and how often it came about since it was written last. */
interface Pending {
  readonly key: string;
  readonly about: ObjectReference;
  readonly type: Event["type"];
  readonly reason: string;
  readonly message: string;
  readonly firstAtMs: number;
  lastAtMs: number;
  repeats: number;
}

/** An event that is in the API. */
interface Written {
  readonly name: string;
  readonly count: number;
}

// A burst of a thousand different events that nobody can write down is an outage; what it was about is in the logs.
const pendingMax = 1000;
// As client-go's correlator: what happened longest ago begins anew with a count of one.
const writtenMax = 4096;
// As client-go: an API server that is away for longer than about a minute costs the event.
const attemptsMax = 12;
const backoff = { minMs: 100, maxMs: 10_000 };
// What is still unwritten after this is given up, so that a process can stop while the API server is away.
const flushMsMax = 2_000;
// Names of objects have at most 253 characters; the suffix takes 20.
const nameCharsMax = 230;
// core/v1 Event: the API server refuses longer ones.
const messageCharsMax = 1024;

/** A reference to `object`, for events about it. */
export const referenceTo = ({ apiVersion, kind, metadata }: ApiObject): ObjectReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
});

/**
 * Writes core/v1 Events, one after the other and in the background. The same event again raises the count of the one that
 * is there. Never throws and never waits: what cannot be written is dropped and logged.
 */
export class EventRecorder implements AsyncDisposable {
  readonly #client: ApiClient;
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  /** In order of arrival. */
  readonly #pending = new Map<string, Pending>();
  /** In order of use, the least recent first. */
  readonly #written = new Map<string, Written>();
  readonly #stop = new AbortController();
  #writing: Promise<void> | undefined;
  #isClosed = false;
  #dropped = 0;

  constructor(client: ApiClient, options: EventRecorderOptions) {
    this.#client = client;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#log = options.log ?? silentLog;
  }

  /** `reason` is one word in CamelCase, `message` one sentence for people. */
  event(about: ObjectReference, type: Event["type"], reason: string, message: string): void {
    if (this.#isClosed) return;
    const key = JSON.stringify([about.kind, about.namespace, about.name, about.uid, type, reason, message]);
    const nowMs = this.#clock.wallMs();
    const waiting = this.#pending.get(key);
    if (waiting !== undefined) {
      waiting.repeats += 1;
      waiting.lastAtMs = nowMs;
    } else if (this.#pending.size >= pendingMax) {
      this.#drop();
    } else {
      const text = message.slice(0, messageCharsMax);
      const times = { firstAtMs: nowMs, lastAtMs: nowMs, repeats: 1 };
      this.#pending.set(key, { key, about, type, reason, message: text, ...times });
    }
    this.#writing ??= this.#writeAll();
  }

  /** Writes what waits, for two seconds at most; afterwards events are ignored. */
  async stop(): Promise<void> {
    this.#isClosed = true;
    if (this.#writing === undefined) return;
    const timer = this.#clock.after(flushMsMax, () => this.#stop.abort(new Error("the recorder stops")));
    await this.#writing;
    timer.cancel();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #writeAll(): Promise<void> {
    // Later in this turn, so that what comes about at once is written once.
    await Promise.resolve();
    for (;;) {
      const [next] = this.#pending.values();
      if (next === undefined) break;
      this.#pending.delete(next.key);
      await this.#write(next);
    }
    this.#writing = undefined;
  }

  async #write(pending: Pending): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
        return await this.#writeOnce(pending);
      } catch (error) {
        const mayRetry = error instanceof Fault && error.retryable && attempt < attemptsMax;
        if (!mayRetry || this.#stop.signal.aborted) {
          const { about, reason, message } = pending;
          const fields = { kind: about.kind, name: about.name, reason, text: message };
          return this.#log.error("an event could not be written", error, fields);
        }
      }
      await this.#clock.sleep(backoffMs(attempt, backoff, this.#random), this.#stop.signal).catch(() => undefined);
    }
  }

  async #writeOnce(pending: Pending): Promise<void> {
    const { key, about, lastAtMs, repeats } = pending;
    const namespace = about.namespace ?? "default";
    const before = this.#written.get(key);
    if (before !== undefined) {
      const count = before.count + repeats;
      const patch = { type: "merge", body: { count, lastTimestamp: rfc3339(lastAtMs) } } as const;
      try {
        await this.#client.patch(events, { namespace, name: before.name }, patch, this.#stop.signal);
        return this.#remember(key, { name: before.name, count });
      } catch (error) {
        // Events are removed after a while; then it is told anew.
        if (errorCode(error) !== "NotFound") throw error;
        this.#written.delete(key);
      }
    }
    const name = `${about.name.slice(0, nameCharsMax)}.${lastAtMs.toString(16)}${this.#random.suffix(5)}`;
    await this.#client.create(events, this.#newEvent(pending, namespace, name), this.#stop.signal);
    this.#remember(key, { name, count: repeats });
  }

  #newEvent(pending: Pending, namespace: string, name: string): NewObject<Event> {
    const { about, type, reason, message, firstAtMs, lastAtMs, repeats } = pending;
    const { component, host } = this.#options;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: about,
      type,
      reason,
      message,
      count: repeats,
      firstTimestamp: rfc3339(firstAtMs),
      lastTimestamp: rfc3339(lastAtMs),
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      reportingInstance: host ?? component,
    };
  }

  #remember(key: string, written: Written): void {
    this.#written.delete(key);
    this.#written.set(key, written);
    if (this.#written.size <= writtenMax) return;
    const [oldest] = this.#written.keys();
    if (oldest !== undefined) this.#written.delete(oldest);
  }

  #drop(): void {
    this.#dropped += 1;
    // Told at 1, 2, 4, 8, …: not another flood.
    if ((this.#dropped & (this.#dropped - 1)) === 0) {
      this.#log.warn("events are dropped: they come faster than the API takes them", { dropped: this.#dropped });
    }
  }
}
