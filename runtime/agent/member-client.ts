import {
  ApiFault,
  type ApiObject,
  type ListOf,
  type NewObject,
  type Resource,
  type WatchEvent,
} from "@shallop/sdk/api";
import {
  type ApiClient,
  type HttpsClient,
  httpsClient,
  type PatchType,
  type Selector,
  type WatchStart,
} from "@shallop/sdk/client";
import type { Clock } from "@shallop/sdk/internal";
import { credentialsOf, type Membership } from "./membership.ts";

/** The API as this node may use it: a client whose credentials can be renewed under those who hold it. */
export class MemberClient implements ApiClient, Disposable {
  readonly #clock: Clock;
  #client: HttpsClient | undefined;
  #membership: Membership | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on calls go out under this membership; watches that run end, and are begun anew by their owners. */
  renew(membership: Membership): void {
    const before = this.#membership;
    this.#membership = membership;
    const same =
      before?.token === membership.token &&
      before.server === membership.server &&
      before.authority === membership.authority;
    if (same) return;
    this.#client?.close();
    this.#client = httpsClient(credentialsOf(membership), { clock: this.#clock, name: "shallop-agent" });
  }

  get<T extends ApiObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    signal?: AbortSignal,
  ): Promise<T> {
    return this.#member.get(resource, namespace, name, signal);
  }

  list<T extends ApiObject>(resource: Resource<T>, selector?: Selector, signal?: AbortSignal): Promise<ListOf<T>> {
    return this.#member.list(resource, selector, signal);
  }

  create<T extends ApiObject>(resource: Resource<T>, object: NewObject<T>, signal?: AbortSignal): Promise<T> {
    return this.#member.create(resource, object, signal);
  }

  update<T extends ApiObject>(resource: Resource<T>, object: T, signal?: AbortSignal): Promise<T> {
    return this.#member.update(resource, object, signal);
  }

  updateStatus<T extends ApiObject>(resource: Resource<T>, object: T, signal?: AbortSignal): Promise<T> {
    return this.#member.updateStatus(resource, object, signal);
  }

  patch<T extends ApiObject>(
    resource: Resource<T>,
    target: Parameters<ApiClient["patch"]>[1],
    patch: { readonly type: PatchType; readonly body: unknown },
    signal?: AbortSignal,
  ): Promise<T> {
    return this.#member.patch(resource, target, patch, signal);
  }

  delete<T extends ApiObject>(
    resource: Resource<T>,
    target: Parameters<ApiClient["delete"]>[1],
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#member.delete(resource, target, signal);
  }

  watch<T extends ApiObject>(
    resource: Resource<T>,
    start: WatchStart,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>> {
    return this.#member.watch(resource, start, signal);
  }

  [Symbol.dispose](): void {
    this.#client?.close();
  }

  get #member(): HttpsClient {
    if (this.#client === undefined) throw new ApiFault("ServiceUnavailable", "this node has not joined a cluster yet");
    return this.#client;
  }
}
