import { ApiFault, type ApiFaultCode } from "../api/fault.ts";
import { isJsonObject, type Json } from "../api/json.ts";
import type { ApiObject, ListOf, NewObject, WatchEvent } from "../api/meta.ts";
import type { Resource } from "../api/resources.ts";
import { aborted } from "../internal/child.ts";
import type { ApiClient, PatchType, Selector, WatchStart } from "./client.ts";

interface Happened {
  readonly revision: number;
  readonly plural: string;
  readonly type: WatchEvent<ApiObject>["type"];
  readonly object: ApiObject;
}

interface Watch {
  readonly wake: () => void;
  end: ApiFault | "cleanly" | undefined;
}

/**
 * The API in memory, with knobs for what goes wrong. Knows no selectors but the namespace, no validation and no other
 * patch than the merge patch.
 */
export class FakeApi implements ApiClient {
  /** Every call in short: `list pods`, `create events`. */
  readonly calls: string[] = [];
  readonly #objects = new Map<string, ApiObject>();
  #log: Happened[] = [];
  #revision = 0;
  #expiredBefore = 0;
  readonly #watches = new Set<Watch>();
  #failures: ApiFault[] = [];
  /** While set, every call is refused with it. */
  away: ApiFault | undefined;

  /** The next `times` calls are refused. */
  failNext(code: ApiFaultCode, times = 1): void {
    for (let count = 0; count < times; count++) this.#failures.push(new ApiFault(code, `made to fail: ${code}`));
  }

  /** Ends every watch, with a fault or cleanly. */
  endWatches(how: ApiFaultCode | "cleanly"): void {
    for (const watch of this.#watches) {
      watch.end = how === "cleanly" ? how : new ApiFault(how, "the watch was made to end");
      watch.wake();
    }
  }

  /** Forgets what happened so far: a watch from before now is Expired. */
  expire(): void {
    this.#expiredBefore = this.#revision;
    this.#log = [];
  }

  /** Adds or replaces an object, as somebody else would. */
  put(
    plural: string,
    object: { kind: string; name: string; namespace?: string; uid?: string; labels?: Record<string, string> },
  ): ApiObject {
    const { kind, name, namespace, uid, labels } = object;
    const key = keyOf(plural, namespace, name);
    const before = this.#objects.get(key);
    const written = {
      apiVersion: "v1",
      kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(labels === undefined ? {} : { labels }),
        uid: uid ?? before?.metadata.uid ?? `uid-${this.#revision + 1}`,
        resourceVersion: "",
        generation: 1,
        creationTimestamp: "2026-01-01T00:00:00Z",
      },
    };
    return this.#record(plural, before === undefined ? "ADDED" : "MODIFIED", written);
  }

  remove(plural: string, namespace: string | undefined, name: string): void {
    const object = this.#objects.get(keyOf(plural, namespace, name));
    if (object !== undefined) this.#record(plural, "DELETED", object);
  }

  async get<T extends ApiObject>(resource: Resource<T>, namespace: string | undefined, name: string): Promise<T> {
    await this.#called("get", resource);
    return this.#find(resource, namespace, name);
  }

  async list<T extends ApiObject>(resource: Resource<T>, selector: Selector = {}): Promise<ListOf<T>> {
    await this.#called("list", resource);
    const items = [...this.#objects.entries()]
      .filter(([key]) => key.startsWith(`${resource.plural}/`))
      .map(([, object]) => object as T)
      .filter(({ metadata }) => selector.namespace === undefined || metadata.namespace === selector.namespace);
    return { items, resourceVersion: String(this.#revision) };
  }

  async create<T extends ApiObject>(resource: Resource<T>, object: NewObject<T>): Promise<T> {
    await this.#called("create", resource);
    const { name = "", namespace } = object.metadata;
    if (this.#objects.has(keyOf(resource.plural, namespace, name))) {
      throw new ApiFault("AlreadyExists", `${resource.plural} "${name}" already exists`);
    }
    const metadata = { ...object.metadata, uid: `uid-${this.#revision + 1}` };
    return this.#record(resource.plural, "ADDED", { ...object, metadata } as unknown as T) as T;
  }

  async update<T extends ApiObject>(resource: Resource<T>, object: T): Promise<T> {
    await this.#called("update", resource);
    const { namespace, name, resourceVersion } = object.metadata;
    const before = this.#find(resource, namespace, name);
    if (before.metadata.resourceVersion !== resourceVersion) throw new ApiFault("Conflict", `${name} was modified`);
    return this.#record(resource.plural, "MODIFIED", object) as T;
  }

  updateStatus<T extends ApiObject>(resource: Resource<T>, object: T): Promise<T> {
    return this.update(resource, object);
  }

  async patch<T extends ApiObject>(
    resource: Resource<T>,
    target: { readonly namespace?: string; readonly name: string },
    patch: { readonly type: PatchType; readonly body: unknown },
  ): Promise<T> {
    await this.#called("patch", resource);
    const before = this.#find(resource, target.namespace, target.name);
    const after = merged(before as unknown as Json, patch.body as Json);
    return this.#record(resource.plural, "MODIFIED", after as unknown as T) as T;
  }

  async delete<T extends ApiObject>(
    resource: Resource<T>,
    target: { readonly namespace?: string; readonly name: string },
  ): Promise<void> {
    await this.#called("delete", resource);
    this.#find(resource, target.namespace, target.name);
    this.remove(resource.plural, target.namespace, target.name);
  }

  async *watch<T extends ApiObject>(
    resource: Resource<T>,
    selector: Selector & WatchStart,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    await this.#called("watch", resource);
    let position = Number(selector.resourceVersion);
    if (position < this.#expiredBefore) throw new ApiFault("Expired", "too old resource version");
    let waiting = Promise.withResolvers<void>();
    const watch: Watch = { wake: () => waiting.resolve(), end: undefined };
    this.#watches.add(watch);
    try {
      while (!signal.aborted) {
        const next = this.#log.find(({ revision }) => revision > position);
        if (next !== undefined) {
          position = next.revision;
          const { plural, type, object } = next;
          const inScope = selector.namespace === undefined || object.metadata.namespace === selector.namespace;
          if (plural === resource.plural && inScope) yield { type, object: object as T };
          continue;
        }
        if (watch.end instanceof ApiFault) throw watch.end;
        if (watch.end === "cleanly") return;
        selector.onBookmark?.(String(position));
        await Promise.race([waiting.promise, aborted(signal)]);
        waiting = Promise.withResolvers();
      }
    } finally {
      this.#watches.delete(watch);
    }
  }

  async #called(verb: string, { plural }: Resource<ApiObject>): Promise<void> {
    this.calls.push(`${verb} ${plural}`);
    await Promise.resolve();
    const fault = this.#failures.shift() ?? this.away;
    if (fault !== undefined) throw fault;
  }

  #find<T extends ApiObject>(resource: Resource<T>, namespace: string | undefined, name: string): T {
    const object = this.#objects.get(keyOf(resource.plural, namespace, name));
    if (object === undefined) throw new ApiFault("NotFound", `${resource.plural} "${name}" not found`);
    return object as T;
  }

  #record(plural: string, type: Happened["type"], object: ApiObject): ApiObject {
    const revision = ++this.#revision;
    const recorded = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    const key = keyOf(plural, object.metadata.namespace, object.metadata.name);
    if (type === "DELETED") this.#objects.delete(key);
    else this.#objects.set(key, recorded);
    this.#log.push({ revision, plural, type, object: recorded });
    for (const watch of this.#watches) watch.wake();
    return recorded;
  }
}

const keyOf = (plural: string, namespace: string | undefined, name: string): string =>
  `${plural}/${namespace ?? ""}/${name}`;

/** RFC 7386. */
function merged(target: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const result: Record<string, Json> = {};
  for (const [name, value] of Object.entries(isJsonObject(target) ? target : {})) {
    if (value !== undefined) result[name] = value;
  }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (value !== undefined) result[name] = merged(result[name], value);
  }
  return result;
}
