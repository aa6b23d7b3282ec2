import type { ApiObject, ListOf, NewObject, WatchEvent } from "../api/meta.ts";
import type { Resource } from "../api/resources.ts";

export interface Selector {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** What to delete. With `uid`: only the object that had the name when the caller looked. */
export interface DeleteTarget {
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
  readonly gracePeriodSeconds?: number;
}

export type PatchType = "merge" | "json" | "apply";

/**
 * The API, typed. One implementation speaks HTTPS to a server (CLI, gateway, agent); the control plane's own
 * controllers use one that calls the API's handlers in-process. Every refusal is an ApiFault; a server that cannot be
 * reached is an ApiFault `ServiceUnavailable` with the cause.
 */
export interface ApiClient {
  get<T extends ApiObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    signal?: AbortSignal,
  ): Promise<T>;
  list<T extends ApiObject>(resource: Resource<T>, selector?: Selector, signal?: AbortSignal): Promise<ListOf<T>>;
  create<T extends ApiObject>(resource: Resource<T>, object: NewObject<T>, signal?: AbortSignal): Promise<T>;
  /** Replaces; `metadata.resourceVersion` of `object` must be the current one (`Conflict` otherwise). */
  update<T extends ApiObject>(resource: Resource<T>, object: T, signal?: AbortSignal): Promise<T>;
  /** Replaces status only. */
  updateStatus<T extends ApiObject>(resource: Resource<T>, object: T, signal?: AbortSignal): Promise<T>;
  patch<T extends ApiObject>(
    resource: Resource<T>,
    target: { readonly namespace?: string; readonly name: string; readonly subresource?: "status" | "resize" },
    patch: { readonly type: PatchType; readonly body: unknown },
    signal?: AbortSignal,
  ): Promise<T>;
  /** Deletes; `NotFound` when it is not there. */
  delete<T extends ApiObject>(resource: Resource<T>, target: DeleteTarget, signal?: AbortSignal): Promise<void>;
  /**
   * Events after `resourceVersion`, for as long as the server sends them; it may end at any time, and a new watch from
   * the last event's version misses nothing. Ends without throwing when `signal` is aborted. Throws ApiFault `Expired`
   * when the server no longer reaches back so far (list again), `ServiceUnavailable` when the connection is cut.
   */
  watch<T extends ApiObject>(
    resource: Resource<T>,
    selector: Selector & WatchStart,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
}

export interface WatchStart {
  readonly resourceVersion: string;
  /** Told the server's position while nothing happens, so that a later resume reaches back less far. Not every server does. */
  readonly onBookmark?: (resourceVersion: string) => void;
}

/** What the server answers beside the Kubernetes verbs, by path. */
export interface RawClient {
  /** Sends `body` as JSON and gives the answer's JSON; undefined for an empty one. @throws ApiFault */
  request(method: string, path: string, options?: RawOptions): Promise<unknown>;
  /** The answer's body as text, as it comes, for as long as it lasts; ends without throwing when aborted. @throws ApiFault */
  text(path: string, signal?: AbortSignal): AsyncIterable<string>;
}

export interface RawOptions {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}
