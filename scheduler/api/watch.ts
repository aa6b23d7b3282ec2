import type { ApiFault, StatusCause } from "@shallop/sdk/api";
import { errorCode, type Timer } from "@shallop/sdk/internal";
import type { StoreEvent, StoreWatch } from "../store/store.ts";
import { authorize } from "./authorize.ts";
import { EventQueue } from "./event-queue.ts";
import { expired, invalidOptions } from "./faults.ts";
import type { Machinery, Target } from "./machinery.ts";
import type { StoredObject } from "./objects.ts";
import { parseResourceVersion } from "./read.ts";
import { parseSelection, type Selection } from "./selectors.ts";
import type { User } from "./user.ts";

export interface WatchOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export type WatchFrame =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: StoredObject }
  /** Everything up to this version has been sent. `initial`: the state at the start of the watch is complete. */
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string; readonly initial: boolean }
  | { readonly type: "ERROR"; readonly fault: ApiFault };

// A consumer that is so far behind is cut off and watches again from what it has; about 40 MB at 4 KiB an object.
const queuedMax = 10_000;
/** apiserver: about one bookmark a minute. */
const bookmarkIntervalMs = 60_000;
/** apiserver's min-request-timeout: a watch without timeoutSeconds ends after this, up to twice as long. */
const timeoutSecondsDefault = 1800;
const timeoutSecondsMax = 24 * 3600;

/**
 * Changes of a kind's objects, in batches, in the order of the store. Ends at its timeout, when `signal` is aborted, or
 * when the consumer is too far behind. A version that the store has forgotten, or has not reached, is an ERROR frame
 * with Expired: list again.
 * @throws ApiFault Forbidden, BadRequest, Invalid
 */
export function watchObjects(
  machinery: Machinery,
  target: Target,
  options: WatchOptions & { readonly user: User },
  signal: AbortSignal,
): AsyncGenerator<readonly WatchFrame[], void, undefined> {
  authorize({ user: options.user, verb: "watch", ...target, fieldSelector: options.fieldSelector });
  validateWatchOptions(options);
  const selection = parseSelection(target.kind, options.labelSelector ?? "", options.fieldSelector ?? "");
  const from = parseResourceVersion(options.resourceVersion);
  return new Watch(machinery, target, options, selection).run(from, signal);
}

function validateWatchOptions(options: WatchOptions): void {
  const match = options.resourceVersionMatch ?? "";
  const causes: StatusCause[] = [];
  const refuse = (message: string): void =>
    void causes.push({
      reason: "FieldValueForbidden",
      message: `Forbidden: ${message}`,
      field: "resourceVersionMatch",
    });
  if (options.sendInitialEvents !== undefined && match !== "NotOlderThan") {
    refuse("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  } else if (options.sendInitialEvents === undefined && match !== "") {
    refuse("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  }
  if (causes.length > 0) throw invalidOptions("ListOptions", causes);
}

class Watch {
  readonly #machinery: Machinery;
  readonly #target: Target;
  readonly #options: WatchOptions;
  readonly #selection: Selection;
  readonly #queue = new EventQueue<WatchFrame>(queuedMax);
  #subscription: StoreWatch | undefined;
  #startRevision = 0;

  constructor(machinery: Machinery, target: Target, options: WatchOptions, selection: Selection) {
    this.#machinery = machinery;
    this.#target = target;
    this.#options = options;
    this.#selection = selection;
  }

  async *run(from: number | undefined, signal: AbortSignal): AsyncGenerator<readonly WatchFrame[], void, undefined> {
    const { clock } = this.#machinery;
    const timers: Timer[] = [];
    const close = (): void => this.#queue.close();
    signal.addEventListener("abort", close, { once: true });
    if (signal.aborted) close();
    try {
      // The present state may be larger than the queue: it is one batch, and no backlog.
      const state = this.#begin(from);
      timers.push(clock.after(this.#timeoutMs(), () => this.#finish()));
      if (this.#options.allowWatchBookmarks === true) {
        timers.push(clock.every(bookmarkIntervalMs, () => void this.#queue.push(this.#bookmark(false))));
      }
      if (state.length > 0) yield state;
      for (let frames = await this.#queue.take(); frames !== undefined; frames = await this.#queue.take()) {
        yield frames;
        if (signal.aborted) return;
      }
    } finally {
      this.#subscription?.stop();
      for (const timer of timers) timer.cancel();
      signal.removeEventListener("abort", close);
    }
  }

  /** Subscribes, and returns the frames that come before any change: the present state where it is asked for. */
  #begin(from: number | undefined): readonly WatchFrame[] {
    const { store } = this.#machinery.objects;
    const head = store.head();
    // Without `sendInitialEvents`, an absent version means "the present state first".
    const wantsState = this.#options.sendInitialEvents ?? (from === undefined || from === 0);
    // A version of another life of this store: what the client has is worth nothing.
    if (from !== undefined && from > head) return this.#fail(from, head);
    const state = wantsState ? this.#presentState() : [];
    this.#startRevision = wantsState || from === undefined || from === 0 ? head : from;
    try {
      this.#subscription = store.watch(this.#prefix(), this.#startRevision, (event) => this.#accept(event));
    } catch (error) {
      if (errorCode(error) !== "COMPACTED") throw error;
      return this.#fail(this.#startRevision, head);
    }
    return this.#options.sendInitialEvents === true ? [...state, this.#bookmark(true)] : state;
  }

  #presentState(): WatchFrame[] {
    const { objects } = this.#machinery;
    return objects.store
      .list(this.#prefix())
      .entries.map((entry) => objects.parse(entry))
      .filter((object) => this.#matches(object))
      .map((object) => ({ type: "ADDED", object }));
  }

  #prefix(): string {
    const { objects } = this.#machinery;
    const { kind, namespace } = this.#target;
    const { name } = this.#selection;
    const exact = name !== undefined && (namespace !== undefined || !kind.resource.namespaced);
    // A prefix of one key also fits longer names; `metadata.name` is checked as well.
    return exact ? objects.key(kind, namespace, name) : objects.prefix(kind, namespace);
  }

  #matches(object: StoredObject): boolean {
    return !this.#selection.selective || this.#selection.matches(object);
  }

  #accept(event: StoreEvent): void {
    const frame = this.#frame(event);
    if (frame !== undefined) this.#queue.push(frame);
  }

  /** What a watcher with this selector sees of a change: entering it is ADDED, leaving it DELETED. */
  #frame(event: StoreEvent): WatchFrame | undefined {
    const { objects } = this.#machinery;
    const object = objects.parse(event);
    if (event.type === "deleted") return this.#matches(object) ? { type: "DELETED", object } : undefined;
    if (event.type === "created" || event.previous === undefined) {
      return this.#matches(object) ? { type: "ADDED", object } : undefined;
    }
    if (!this.#selection.selective) return { type: "MODIFIED", object };
    // The state before, under the new version: what the client has to forget.
    const previous = objects.parseAt(event.previous, event.revision);
    const before = this.#matches(previous);
    if (this.#matches(object)) return { type: before ? "MODIFIED" : "ADDED", object };
    return before ? { type: "DELETED", object: previous } : undefined;
  }

  #finish(): void {
    if (this.#options.allowWatchBookmarks === true) this.#queue.push(this.#bookmark(false));
    this.#queue.close();
  }

  #fail(from: number, head: number): readonly WatchFrame[] {
    this.#queue.close();
    return [{ type: "ERROR", fault: expired(`too old resource version: ${from} (${head})`) }];
  }

  #bookmark(initial: boolean): WatchFrame {
    // What was delivered is in the queue before this bookmark.
    const revision = this.#subscription?.position() ?? this.#startRevision;
    return { type: "BOOKMARK", resourceVersion: String(revision), initial };
  }

  #timeoutMs(): number {
    const { timeoutSeconds = 0 } = this.#options;
    const seconds =
      timeoutSeconds > 0
        ? Math.min(timeoutSeconds, timeoutSecondsMax)
        : timeoutSecondsDefault + this.#machinery.random.below(timeoutSecondsDefault);
    return seconds * 1000;
  }
}
