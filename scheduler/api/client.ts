import {
  type ApiObject,
  ApiFault,
  type Json,
  kindOf,
  type ListOf,
  type NewObject,
  type Resource,
  type WatchEvent,
} from "@shallop/sdk/api";
import type { ApiClient, PatchType, Selector, WatchStart } from "@shallop/sdk/client";
import { assert } from "@shallop/sdk/internal";
import { deleteObject } from "./delete.ts";
import { badRequest } from "./faults.ts";
import type { Machinery, ObjectTarget, Target, WriteOptions } from "./machinery.ts";
import type { StoredObject } from "./objects.ts";
import { patchObject } from "./patch.ts";
import { getObject, listObjects } from "./read.ts";
import type { User } from "./user.ts";
import { watchObjects } from "./watch.ts";
import { createObject, updateObject } from "./write.ts";

/** The API's client for the control plane's own controllers, with one verb more. */
export interface ControlClient extends ApiClient {
  /**
   * Takes the finalizer `kubernetes` off a namespace, which then goes: for the namespace controller, once nothing is
   * left in it (`namespaces/finalize`). @throws ApiFault NotFound, Conflict
   */
  finalizeNamespace(name: string): Promise<void>;
}

/** Owner of what controllers write. */
const fieldManager = "shallop-controllers";

/**
 * The API in-process: the same verbs, checks and rights as over HTTPS, without the wire. Objects that it returns are
 * shared with the server and must not be changed.
 */
export function inProcessClient(machinery: Machinery, user: User): ControlClient {
  return new InProcessClient(machinery, user);
}

class InProcessClient implements ControlClient {
  readonly #machinery: Machinery;
  readonly #user: User;

  constructor(machinery: Machinery, user: User) {
    this.#machinery = machinery;
    this.#user = user;
  }

  async get<T extends ApiObject>(resource: Resource<T>, namespace: string | undefined, name: string): Promise<T> {
    return asType<T>(getObject(this.#machinery, { ...target(resource, namespace), name }, this.#user));
  }

  async list<T extends ApiObject>(resource: Resource<T>, selector: Selector = {}): Promise<ListOf<T>> {
    const { namespace, ...selectors } = selector;
    const list = listObjects(this.#machinery, target(resource, namespace), selectors, this.#user);
    return { items: list.items.map((item) => asType<T>(item)), resourceVersion: list.resourceVersion };
  }

  async create<T extends ApiObject>(resource: Resource<T>, object: NewObject<T>): Promise<T> {
    const body = asJson(object);
    const namespace = resource.namespaced ? object.metadata.namespace : undefined;
    return asType<T>(await createObject(this.#machinery, target(resource, namespace), body, this.#strict()));
  }

  async update<T extends ApiObject>(resource: Resource<T>, object: T): Promise<T> {
    const at = objectTarget(resource, object);
    return asType<T>(await updateObject(this.#machinery, at, asJson(object), this.#strict()));
  }

  async updateStatus<T extends ApiObject>(resource: Resource<T>, object: T): Promise<T> {
    const at = { ...objectTarget(resource, object), subresource: "status" } as const;
    return asType<T>(await updateObject(this.#machinery, at, asJson(object), this.#strict()));
  }

  async patch<T extends ApiObject>(
    resource: Resource<T>,
    where: { readonly namespace?: string; readonly name: string; readonly subresource?: "status" },
    patch: { readonly type: PatchType; readonly body: unknown },
  ): Promise<T> {
    if (patch.type === "apply") throw badRequest("server-side apply is not served");
    const at = { ...target(resource, where.namespace), name: where.name, subresource: where.subresource };
    const sent = { kind: patch.type, body: asJson(patch.body) };
    return asType<T>(await patchObject(this.#machinery, at, sent, this.#strict()));
  }

  async delete<T extends ApiObject>(
    resource: Resource<T>,
    where: {
      readonly namespace?: string;
      readonly name: string;
      readonly uid?: string;
      readonly gracePeriodSeconds?: number;
    },
  ): Promise<void> {
    await deleteObject(
      this.#machinery,
      { ...target(resource, where.namespace), name: where.name },
      {
        user: this.#user,
        ...(where.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: where.gracePeriodSeconds }),
        ...(where.uid === undefined ? {} : { preconditions: { uid: where.uid } }),
      },
    );
  }

  async *watch<T extends ApiObject>(
    resource: Resource<T>,
    selector: Selector & WatchStart,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { namespace, onBookmark, ...selectors } = selector;
    const options = { ...selectors, allowWatchBookmarks: onBookmark !== undefined };
    const batches = watchObjects(
      this.#machinery,
      target(resource, namespace),
      { ...options, user: this.#user },
      signal,
    );
    for await (const batch of batches) {
      for (const frame of batch) {
        if (frame.type === "ERROR") throw frame.fault;
        if (frame.type === "BOOKMARK") onBookmark?.(frame.resourceVersion);
        else yield { type: frame.type, object: asType<T>(frame.object) };
      }
    }
  }

  async finalizeNamespace(name: string): Promise<void> {
    const kind = kindOf({ group: "", version: "v1", plural: "namespaces", kind: "Namespace", namespaced: false });
    assert(kind !== undefined, "namespaces are served");
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: { finalizers: [] } };
    await updateObject(this.#machinery, { kind, name, subresource: "finalize" }, body, this.#strict());
  }

  /** A controller that writes a field which does not exist has a bug: it shall see it. */
  #strict(): WriteOptions {
    return { user: this.#user, fieldValidation: "Strict", fieldManager };
  }
}

function target(resource: Resource<ApiObject>, namespace: string | undefined): Target {
  const kind = kindOf(resource);
  if (kind === undefined)
    throw new ApiFault("NotFound", `the server could not find the requested resource ${resource.plural}`);
  return { kind, namespace: resource.namespaced ? namespace : undefined };
}

const objectTarget = (resource: Resource<ApiObject>, object: ApiObject): ObjectTarget => ({
  ...target(resource, object.metadata.namespace),
  name: object.metadata.name,
});

/** What typed code writes is JSON by its types; members that are undefined are left out, as JSON would. */
const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

/** The type table was held against every object when it was written: that is what T is made of. */
const asType = <T extends ApiObject>(object: StoredObject): T => object as unknown as T;
