import type { ApiObject, Resource } from "@shallop/sdk/api";
import { type ApiClient, type Informer, type InformerEvent, startInformer } from "@shallop/sdk/client";
import { type Clock, type Log, type Random, rfc3339 } from "@shallop/sdk/internal";

/** `NAMESPACE/NAME`; just the name for what lives in no namespace. */
export const keyOf = ({ metadata }: Pick<ApiObject, "metadata">): string => keyAt(metadata.namespace, metadata.name);
export const keyAt = (namespace: string | undefined, name: string): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

/** Names under which an object is found beside its own key. */
export type Indexer<T> = (object: T) => readonly string[];

/** An object is not as it was; `after` is undefined when it is gone. */
export interface Change<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

export interface MirrorOptions<T> {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly indexers?: Readonly<Record<string, Indexer<T>>>;
  readonly onChange: (change: Change<T>) => void;
}

// Objects that are gone, so that the answer to a write that was overtaken by their deletion does not bring them back.
const goneMax = 10_000;

/**
 * What the API has of one kind, in memory and indexed: what an informer says, and what was written since. A controller
 * that looks again right after its own write finds it here, so it never makes a thing twice.
 */
export class Mirror<T extends ApiObject> {
  readonly synced: Promise<void>;
  readonly stopped: Promise<void>;
  readonly #informer: Informer<T>;
  readonly #options: MirrorOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, Map<string, Map<string, T>>>();
  readonly #byUid = new Map<string, T>();
  readonly #gone = new Set<string>();

  constructor(client: ApiClient, resource: Resource<T>, options: MirrorOptions<T>) {
    this.#options = options;
    for (const name of Object.keys(options.indexers ?? {})) this.#indexes.set(name, new Map());
    const { signal, clock, random, log } = options;
    const onEvent = (event: InformerEvent<T>): void => this.#apply(event);
    this.#informer = startInformer(client, resource, {}, { signal, clock, random, log, onEvent });
    this.synced = this.#informer.synced;
    this.stopped = this.#informer.stopped;
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(keyAt(namespace, name));
  }

  byUid(uid: string): T | undefined {
    return this.#byUid.get(uid);
  }

  items(): Iterable<T> {
    return this.#objects.values();
  }

  /** Those that `indexer` filed under `name`, in no order. */
  indexed(indexer: string, name: string): readonly T[] {
    return [...(this.#indexes.get(indexer)?.get(name)?.values() ?? [])];
  }

  /** An answer to a write of our own. */
  wrote(object: T): void {
    if (this.#gone.has(object.metadata.uid)) return;
    this.#learn(object);
  }

  /** We have had it deleted: until that is seen, it counts as on its way out. */
  deleted(object: T): void {
    const known = this.#objects.get(keyOf(object));
    if (known?.metadata.uid !== object.metadata.uid || known.metadata.deletionTimestamp !== undefined) return;
    const deletionTimestamp = rfc3339(this.#options.clock.wallMs());
    this.#set({ ...known, metadata: { ...known.metadata, deletionTimestamp } });
  }

  #apply(event: InformerEvent<T>): void {
    if (event.type === "deleted") this.#forget(event.object);
    else this.#learn(event.object);
  }

  #learn(object: T): void {
    const known = this.#objects.get(keyOf(object));
    if (known !== undefined && versionOf(known) >= versionOf(object)) return;
    if (known !== undefined && known.metadata.uid !== object.metadata.uid) this.#forget(known);
    this.#set(object);
  }

  #set(object: T): void {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    if (before !== undefined) this.#unfile(key, before);
    this.#objects.set(key, object);
    this.#byUid.set(object.metadata.uid, object);
    for (const [name, indexer] of Object.entries(this.#options.indexers ?? {})) {
      const index = this.#indexes.get(name);
      for (const entry of indexer(object)) {
        const filed = index?.get(entry) ?? new Map<string, T>();
        filed.set(key, object);
        index?.set(entry, filed);
      }
    }
    this.#options.onChange({ before, after: object });
  }

  #forget(object: T): void {
    const key = keyOf(object);
    this.#gone.add(object.metadata.uid);
    if (this.#gone.size > goneMax) {
      const [oldest] = this.#gone;
      if (oldest !== undefined) this.#gone.delete(oldest);
    }
    const known = this.#objects.get(key);
    if (known?.metadata.uid !== object.metadata.uid) return;
    this.#unfile(key, known);
    this.#objects.delete(key);
    this.#byUid.delete(known.metadata.uid);
    this.#options.onChange({ before: known, after: undefined });
  }

  #unfile(key: string, object: T): void {
    for (const [name, indexer] of Object.entries(this.#options.indexers ?? {})) {
      const index = this.#indexes.get(name);
      for (const entry of indexer(object)) {
        const filed = index?.get(entry);
        filed?.delete(key);
        if (filed?.size === 0) index?.delete(entry);
      }
    }
  }
}

/** Versions are one integer sequence for the whole store. */
const versionOf = ({ metadata }: ApiObject): number => Number(metadata.resourceVersion);
