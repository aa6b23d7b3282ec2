import {
  ApiFault,
  type ApiObject,
  type ListOf,
  type NewObject,
  type ObjectMeta,
  type Resource,
  type WatchEvent,
} from "@shallop/sdk/api";
import type { ApiClient } from "@shallop/sdk/client";
import { assert } from "@shallop/sdk/internal";
import type { ObjectCache } from "./node-agent.ts";

/** The API in memory, with the rules that the agent leans on: versions, uids, conflicts, two-step deletion of pods. */
export class FakeApi implements ApiClient {
  /** No call gets through. */
  down = false;
  /** `create pods a-1`, `updateStatus pods a-1`, …: what was written. */
  readonly writes: string[] = [];
  readonly #objects = new Map<string, ApiObject>();
  readonly #onChange = new Set<() => void>();
  #version = 100;
  #uids = 0;

  /** As an informer would have it, without lag; when the API is down what was known last. */
  cache<T extends ApiObject>(
    resource: Resource<T>,
    options: { readonly synced?: boolean } = {},
  ): ObjectCache<T> & { synced: boolean } {
    let known: readonly T[] = [];
    return {
      synced: options.synced ?? true,
      list: () => {
        if (!this.down) known = this.#all(resource);
        return known;
      },
    };
  }

  onChange(listener: () => void): void {
    this.#onChange.add(listener);
  }

  /** Puts an object there, as another client would. */
  put<T extends ApiObject>(
    resource: Resource<T>,
    object: Omit<T, "metadata"> & { readonly metadata: Partial<ObjectMeta> & { readonly name: string } },
  ): T {
    const { name, namespace } = { namespace: undefined, ...object.metadata };
    const before = this.#objects.get(keyOf(resource, namespace, name));
    const stored = {
      ...object,
      metadata: {
        uid: before?.metadata.uid ?? `api-uid-${String(++this.#uids)}`,
        generation: 1,
        creationTimestamp: "2026-01-01T00:00:00Z",
        ...object.metadata,
        resourceVersion: String(++this.#version),
      },
    };
    this.#objects.set(keyOf(resource, namespace, name), stored);
    this.#changed();
    return this.#typed<T>(stored);
  }

  find<T extends ApiObject>(resource: Resource<T>, namespace: string | undefined, name: string): T | undefined {
    const found = this.#objects.get(keyOf(resource, namespace, name));
    return found === undefined ? undefined : this.#typed<T>(found);
  }

  remove<T extends ApiObject>(resource: Resource<T>, namespace: string | undefined, name: string): void {
    this.#objects.delete(keyOf(resource, namespace, name));
    this.#changed();
  }

  async get<T extends ApiObject>(resource: Resource<T>, namespace: string | undefined, name: string): Promise<T> {
    await this.#reach();
    return this.#typed<T>(this.#existing(resource, namespace, name));
  }

  async list<T extends ApiObject>(resource: Resource<T>): Promise<ListOf<T>> {
    await this.#reach();
    return { items: this.#all(resource), resourceVersion: String(this.#version) };
  }

  async create<T extends ApiObject>(resource: Resource<T>, object: NewObject<T>): Promise<T> {
    await this.#reach();
    const metadata: { readonly name?: string; readonly namespace?: string } = object.metadata;
    const name = metadata.name ?? "";
    if (this.find(resource, metadata.namespace, name) !== undefined) {
      throw new ApiFault("AlreadyExists", `${resource.plural} "${name}" already exists`);
    }
    this.writes.push(`create ${resource.plural} ${name}`);
    return this.put(resource, { ...this.#typed<T>(object), metadata: { ...object.metadata, name } });
  }

  update<T extends ApiObject>(resource: Resource<T>, object: T): Promise<T> {
    return this.#replace("update", resource, object, (current) => ({ ...object, ...pick(current, "status") }));
  }

  updateStatus<T extends ApiObject>(resource: Resource<T>, object: T): Promise<T> {
    return this.#replace("updateStatus", resource, object, (current) => ({ ...current, ...pick(object, "status") }));
  }

  patch(): Promise<never> {
    throw new Error("the agent does not patch");
  }

  async delete<T extends ApiObject>(
    resource: Resource<T>,
    target: {
      readonly namespace?: string;
      readonly name: string;
      readonly uid?: string;
      readonly gracePeriodSeconds?: number;
    },
  ): Promise<void> {
    await this.#reach();
    const found = this.#existing(resource, target.namespace, target.name);
    if (target.uid !== undefined && target.uid !== found.metadata.uid) throw new ApiFault("Conflict", "another uid");
    this.writes.push(`delete ${resource.plural} ${target.name} ${String(target.gracePeriodSeconds)}`);
    this.remove(resource, target.namespace, target.name);
  }

  // oxlint-disable-next-line require-yield -- the tests drive the agent through `cache`, which needs no watch
  async *watch<T extends ApiObject>(): AsyncGenerator<WatchEvent<T>> {
    throw new Error("the agent's tests watch through cache()");
  }

  async #replace<T extends ApiObject>(
    verb: string,
    resource: Resource<T>,
    object: T,
    merge: (current: ApiObject) => ApiObject,
  ): Promise<T> {
    await this.#reach();
    const { namespace, name, resourceVersion } = object.metadata;
    const current = this.#existing(resource, namespace, name);
    if (current.metadata.resourceVersion !== resourceVersion) throw new ApiFault("Conflict", `${name} was changed`);
    this.writes.push(`${verb} ${resource.plural} ${name}`);
    const merged = merge(current);
    const metadata = verb === "update" ? object.metadata : current.metadata;
    return this.put(resource, this.#typed<T>({ ...merged, metadata }));
  }

  async #reach(): Promise<void> {
    await Promise.resolve();
    if (this.down) throw new ApiFault("ServiceUnavailable", "the API is down");
  }

  #existing<T extends ApiObject>(resource: Resource<T>, namespace: string | undefined, name: string): ApiObject {
    const found = this.#objects.get(keyOf(resource, namespace, name));
    if (found === undefined) throw new ApiFault("NotFound", `${resource.plural} "${name}" not found`);
    return found;
  }

  #all<T extends ApiObject>(resource: Resource<T>): T[] {
    const prefix = `${resource.plural}/`;
    return [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => this.#typed<T>(object));
  }

  /** What is stored under a resource's key is of its kind: only `put` of that resource wrote it. */
  #typed<T extends ApiObject>(object: unknown): T {
    assert(typeof object === "object" && object !== null);
    return object as T;
  }

  #changed(): void {
    for (const listener of this.#onChange) listener();
  }
}

const keyOf = (resource: { readonly plural: string }, namespace: string | undefined, name: string): string =>
  `${resource.plural}/${namespace ?? ""}/${name}`;

const pick = (object: object, name: string): object => {
  const value = new Map<string, unknown>(Object.entries(object)).get(name);
  return value === undefined ? {} : { [name]: value };
};
