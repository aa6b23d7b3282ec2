import { ApiFault } from "../api/fault.ts";
import type { ApiObject, WatchEvent } from "../api/meta.ts";
import type { Resource } from "../api/resources.ts";
import { type Clock, systemClock } from "../internal/clock.ts";
import { describeError, errorCode } from "../internal/fault.ts";
import { type Log, silentLog } from "../internal/log.ts";
import { type Random, systemRandom } from "../internal/random.ts";
import { backoffMs } from "./backoff.ts";
import type { ApiClient, Selector } from "./client.ts";

/** How an object differs from what was known of it. */
export type InformerEvent<T> =
  | { readonly type: "added"; readonly object: T }
  | { readonly type: "updated"; readonly object: T; readonly previous: T }
  | { readonly type: "deleted"; readonly object: T };

export interface InformerOptions<T> {
  /** Ends the informer. What it knows by then stays readable. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  /**
   * Something is not as it was when this was called last; once a turn at most, however much happened. The first call
   * says that all is known, even if that is nothing. Look at `items()` and `get()`, and act on what is there.
   */
  readonly onChange?: () => void;
  /** Each difference, in order, at once. For indexes; work belongs to `onChange`. */
  readonly onEvent?: (event: InformerEvent<T>) => void;
}

// A control plane that restarts on the same machine is back within a second; one that is gone for long is asked for by
// many nodes, each ten seconds.
const backoff = { minMs: 100, maxMs: 10_000 };
// A watch that lasted this long was a good one: what ended it was not there before.
const goodWatchMs = 5_000;
// SIG Scalability's threshold of objects of one kind; with some KiB each, more do not fit in a process anyway.
const objectsMax = 150_000;

/**
 * What the API has of one kind, kept up to date in memory: list once, then watch; resume where the watch ended; list
 * anew when the server no longer reaches back so far. While the server is away, what was known last stays.
 */
export class Informer<T extends ApiObject> {
  /** Resolves once everything was listed for the first time; rejects when the informer is stopped before. */
  readonly synced: Promise<void>;
  /** Resolves when the informer has ended; nothing is called afterwards. */
  readonly stopped: Promise<void>;
  readonly #source: Source<T>;
  readonly #options: InformerOptions<T>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #synced = Promise.withResolvers<void>();
  readonly #objects = new Map<string, T>();
  #items: readonly T[] | undefined;
  #isSynced = false;
  #changeIsDue = false;
  /** Where to watch from; undefined: list first. */
  #position: string | undefined;

  constructor(source: Source<T>, options: InformerOptions<T>) {
    this.#source = source;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? silentLog).with({ resource: source.resource.plural });
    this.synced = this.#synced.promise;
    // Whoever does not wait for it need not hear that it never came.
    this.synced.catch(() => undefined);
    this.stopped = this.#run();
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** `namespace` is undefined for kinds that live in none. */
  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(keyOf(namespace, name));
  }

  /** All of them; the same list until something changes. */
  items(): readonly T[] {
    this.#items ??= [...this.#objects.values()];
    return this.#items;
  }

  async #run(): Promise<void> {
    const { signal, random = systemRandom } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const startedMs = this.#clock.nowMs();
      try {
        this.#position ??= await this.#list();
        await this.#follow(this.#position);
      } catch (error) {
        if (signal.aborted) break;
        // A server that was away goes on where it was; what else went wrong may have cost us events.
        if (errorCode(error) !== "ServiceUnavailable") this.#position = undefined;
        this.#tell(error, failures);
      }
      failures = this.#clock.nowMs() - startedMs >= goodWatchMs ? 0 : failures + 1;
      if (failures > 0) await this.#clock.sleep(backoffMs(failures, backoff, random), signal).catch(() => undefined);
    }
    this.#synced.reject(signal.reason);
  }

  #tell(error: unknown, failures: number): void {
    // To list anew is a matter of course, and an outage is told once.
    const isNews = failures === 0 && errorCode(error) !== "Expired" && errorCode(error) !== "Gone";
    const text = `${describeError(error)}; what is known stays, and the API server is asked again`;
    if (isNews) this.#log.warn(text);
    else this.#log.debug(text);
  }

  async #list(): Promise<string> {
    const { client, resource, selector } = this.#source;
    const { items, resourceVersion } = await client.list(resource, selector, this.#options.signal);
    if (items.length > objectsMax) throw tooMany(resource);
    const listed = new Map(items.map((object) => [keyOfObject(object), object]));
    for (const [key, known] of this.#objects) if (!listed.has(key)) this.#forget(key, known);
    for (const [key, object] of listed) this.#learn(key, object);
    if (!this.#isSynced) {
      this.#isSynced = true;
      this.#synced.resolve();
      this.#changed();
    }
    return resourceVersion;
  }

  async #follow(resourceVersion: string): Promise<void> {
    const { client, resource, selector } = this.#source;
    const onBookmark = (at: string): void => {
      if (at !== "") this.#position = at;
    };
    const events = client.watch(resource, { ...selector, resourceVersion, onBookmark }, this.#options.signal);
    for await (const event of events) {
      if (this.#options.signal.aborted) return;
      this.#apply(event);
      this.#position = event.object.metadata.resourceVersion;
    }
  }

  #apply({ type, object }: WatchEvent<T>): void {
    const key = keyOfObject(object);
    if (type !== "DELETED") return this.#learn(key, object);
    if (this.#objects.has(key)) this.#forget(key, object);
  }

  #learn(key: string, object: T): void {
    const previous = this.#objects.get(key);
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      // Deleted and made anew while nobody looked: two objects with one name.
      this.#forget(key, previous);
      return this.#learn(key, object);
    }
    if (previous === undefined && this.#objects.size >= objectsMax) throw tooMany(this.#source.resource);
    this.#objects.set(key, object);
    this.#changed();
    this.#call(() =>
      this.#options.onEvent?.(
        previous === undefined ? { type: "added", object } : { type: "updated", object, previous },
      ),
    );
  }

  #forget(key: string, object: T): void {
    this.#objects.delete(key);
    this.#changed();
    this.#call(() => this.#options.onEvent?.({ type: "deleted", object }));
  }

  #changed(): void {
    this.#items = undefined;
    // Nobody is told half of the first list.
    if (!this.#isSynced || this.#changeIsDue || this.#options.onChange === undefined) return;
    this.#changeIsDue = true;
    setImmediate(() => {
      this.#changeIsDue = false;
      if (!this.#options.signal.aborted) this.#options.onChange?.();
    });
  }

  /** A handler that throws is a bug, and ends the process as any other; it must not look like a failure of the server. */
  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

interface Source<T extends ApiObject> {
  readonly client: ApiClient;
  readonly resource: Resource<T>;
  readonly selector: Selector;
}

/** Starts to keep what `selector` chooses of `resource` in memory, until the options' signal is aborted. */
export function startInformer<T extends ApiObject>(
  client: ApiClient,
  resource: Resource<T>,
  selector: Selector,
  options: InformerOptions<T>,
): Informer<T> {
  return new Informer({ client, resource, selector }, options);
}

// No name holds a slash.
const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ""}/${name}`;
const keyOfObject = ({ metadata }: ApiObject): string => keyOf(metadata.namespace, metadata.name);

const tooMany = (resource: Resource<ApiObject>): ApiFault =>
  new ApiFault(
    "RequestEntityTooLarge",
    `there are more than ${objectsMax} ${resource.plural}; a selector must narrow them`,
  );
