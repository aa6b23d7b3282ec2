import { ApiFault } from "../api/fault.ts";
import { isJsonObject, type JsonObject, listAt, textAt } from "../api/json.ts";
import type { ApiObject, ListOf, NewObject, WatchEvent } from "../api/meta.ts";
import { apiVersionOf, type Resource } from "../api/resources.ts";
import { type Clock, systemClock } from "../internal/clock.ts";
import { type Random, systemRandom } from "../internal/random.ts";
import type { ApiClient, DeleteTarget, PatchType, RawClient, RawOptions, Selector, WatchStart } from "./client.ts";
import type { Credentials } from "./credentials.ts";
import { lines, LineTooLongError } from "./json-lines.ts";
import { collectionPath, objectPath, query, selectorQuery } from "./paths.ts";
import { faultOfStatus } from "./status-fault.ts";
import { Transport } from "./transport.ts";

/** An ApiClient over HTTPS, with what the server answers beside the Kubernetes verbs. `close` ends its connections. */
export interface HttpsClient extends ApiClient, RawClient, Disposable {
  close(): void;
}

export interface HttpsClientOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  /** Who is asking: the User-Agent, and the field manager of what is written. */
  readonly name?: string;
  /** For every answer but watches and logs, milliseconds. */
  readonly timeoutMs?: number;
  /** What the server shall do with fields that it does not know. kubectl asks for `Strict`. */
  readonly fieldValidation?: "Strict" | "Warn" | "Ignore";
}

// The server gives up on a request after a minute; whoever waits in front of a terminal wants to know earlier.
const timeoutMsDefault = 30_000;
// As kubectl and client-go.
const listPageObjects = 500;
// An object is stored with 3 MiB at most; as JSON with escapes, managed fields and status it stays below this.
const watchLineBytesMax = 8 * 1024 * 1024;
// The server sends a bookmark each minute. After three that did not come, the connection is dead, whatever TCP thinks.
const watchIdleMsMax = 180_000;
// As client-go's reflector: watches end after five to ten minutes, not all at once, so that they spread over servers.
const watchSecondsMin = 300;

const mediaTypes: Readonly<Record<PatchType, string>> = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  // JSON is YAML.
  apply: "application/apply-patch+yaml",
};

/** A client of the API server that `credentials` name. Opens no connection before it is asked something. */
export function httpsClient(credentials: Credentials, options: HttpsClientOptions = {}): HttpsClient {
  return new Client(credentials, options);
}

class Client implements HttpsClient {
  readonly #transport: Transport;
  readonly #random: Random;
  readonly #writeQuery: Readonly<Record<string, string | undefined>>;

  constructor(credentials: Credentials, options: HttpsClientOptions) {
    const { clock = systemClock, random = systemRandom, name = "shallop", timeoutMs = timeoutMsDefault } = options;
    this.#transport = new Transport(credentials, { clock, userAgent: name, timeoutMs });
    this.#random = random;
    this.#writeQuery = { fieldManager: name, fieldValidation: options.fieldValidation };
  }

  async get<T extends ApiObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    signal?: AbortSignal,
  ): Promise<T> {
    const path = objectPath(resource, namespace, name);
    return objectOf(resource, await this.request("GET", path, withSignal(signal)));
  }

  async list<T extends ApiObject>(
    resource: Resource<T>,
    selector: Selector = {},
    signal?: AbortSignal,
  ): Promise<ListOf<T>> {
    const path = collectionPath(resource, selector.namespace);
    const items: T[] = [];
    let resourceVersion = "";
    // Ends: the server's token moves on with each page, and each page takes a request.
    for (let next: string | undefined; ;) {
      const search = query({ ...selectorQuery(selector), limit: listPageObjects, continue: next });
      const page = await this.request("GET", path + search, withSignal(signal));
      if (!isJsonObject(page)) throw unexpected(resource, "list");
      for (const item of listAt(page, "items")) items.push(objectOf(resource, item));
      resourceVersion ||= textAt(page, "metadata", "resourceVersion") ?? "";
      const token = textAt(page, "metadata", "continue") ?? "";
      if (token === "" || token === next) break;
      next = token;
    }
    if (resourceVersion === "") throw unexpected(resource, "list");
    return { items, resourceVersion };
  }

  async create<T extends ApiObject>(resource: Resource<T>, object: NewObject<T>, signal?: AbortSignal): Promise<T> {
    const path = collectionPath(resource, object.metadata.namespace);
    if (resource.namespaced && object.metadata.namespace === undefined) {
      throw new ApiFault("BadRequest", `a ${resource.kind} is made in a namespace; metadata.namespace is missing`);
    }
    return this.#write("POST", resource, path, { body: object, signal });
  }

  async update<T extends ApiObject>(resource: Resource<T>, object: T, signal?: AbortSignal): Promise<T> {
    return this.#write("PUT", resource, pathOf(resource, object), { body: object, signal });
  }

  async updateStatus<T extends ApiObject>(resource: Resource<T>, object: T, signal?: AbortSignal): Promise<T> {
    return this.#write("PUT", resource, `${pathOf(resource, object)}/status`, { body: object, signal });
  }

  async patch<T extends ApiObject>(
    resource: Resource<T>,
    target: { readonly namespace?: string; readonly name: string; readonly subresource?: "status" | "resize" },
    patch: { readonly type: PatchType; readonly body: unknown },
    signal?: AbortSignal,
  ): Promise<T> {
    const { namespace, name, subresource } = target;
    const path = objectPath(resource, namespace, name) + (subresource === undefined ? "" : `/${subresource}`);
    // Whoever applies through this client owns what it says: a controller, or a user who deploys anew.
    const force = patch.type === "apply" ? true : undefined;
    const answer = await this.#json({
      method: "PATCH",
      path: path + query({ ...this.#writeQuery, force }),
      body: { type: mediaTypes[patch.type], text: JSON.stringify(patch.body) },
      signal,
    });
    return objectOf(resource, answer);
  }

  async delete<T extends ApiObject>(resource: Resource<T>, target: DeleteTarget, signal?: AbortSignal): Promise<void> {
    const { namespace, name, uid, gracePeriodSeconds } = target;
    const preconditions = uid === undefined ? undefined : { uid };
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions, gracePeriodSeconds };
    await this.request("DELETE", objectPath(resource, namespace, name), { body, ...withSignal(signal) });
  }

  async *watch<T extends ApiObject>(
    resource: Resource<T>,
    selector: Selector & WatchStart,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const { resourceVersion, onBookmark } = selector;
    const search = query({
      ...selectorQuery(selector),
      watch: true,
      resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds: watchSecondsMin + this.#random.below(watchSecondsMin),
    });
    const path = collectionPath(resource, selector.namespace) + search;
    if (signal.aborted) return;
    const chunks = this.#transport.chunks({ method: "GET", path, signal }, watchIdleMsMax);
    try {
      for await (const line of lines(chunks, watchLineBytesMax)) {
        const event = eventOf(resource, line);
        if (signal.aborted) return;
        if ("bookmark" in event) onBookmark?.(event.bookmark);
        else yield event;
      }
    } catch (error) {
      if (!(error instanceof LineTooLongError)) throw error;
      throw new ApiFault("InternalError", `watch of ${resource.plural}: ${error.message}`, {}, { cause: error });
    }
  }

  request(method: string, path: string, { body, signal }: RawOptions = {}): Promise<unknown> {
    const sent = body === undefined ? {} : { body: { type: "application/json", text: JSON.stringify(body) } };
    return this.#json({ method, path, ...sent, signal });
  }

  async *text(path: string, signal?: AbortSignal): AsyncGenerator<string> {
    if (signal?.aborted === true) return;
    const decoder = new TextDecoder();
    for await (const chunk of this.#transport.chunks({ method: "GET", path, signal, accept: "text/plain, */*" })) {
      const text = decoder.decode(chunk, { stream: true });
      if (text !== "") yield text;
    }
    const rest = decoder.decode();
    if (rest !== "") yield rest;
  }

  close(): void {
    this.#transport.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #write<T extends ApiObject>(
    method: string,
    resource: Resource<T>,
    path: string,
    { body, signal }: { readonly body: object; readonly signal: AbortSignal | undefined },
  ): Promise<T> {
    const typed = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...body };
    const answer = await this.request(method, path + query(this.#writeQuery), { body: typed, ...withSignal(signal) });
    return objectOf(resource, answer);
  }

  async #json(call: Parameters<Transport["text"]>[0]): Promise<unknown> {
    const text = await this.#transport.text(call);
    if (text === "") return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      const { method, path } = call;
      throw new ApiFault("InternalError", `${method} ${path}: the answer is not JSON`, {}, { cause: error });
    }
  }
}

const withSignal = (signal: AbortSignal | undefined): { signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };

const pathOf = <T extends ApiObject>(resource: Resource<T>, { metadata }: T): string =>
  objectPath(resource, metadata.namespace, metadata.name);

const unexpected = (resource: Resource<ApiObject>, what: string): ApiFault =>
  new ApiFault("InternalError", `the API server answered something that is no ${what} of ${resource.plural}`);

/** Checks what every object has; that the rest is as its kind says is the server's word. */
function objectOf<T extends ApiObject>(resource: Resource<T>, value: unknown): T {
  const isNamed =
    isJsonObject(value) &&
    typeof textAt(value, "metadata", "name") === "string" &&
    typeof textAt(value, "metadata", "resourceVersion") === "string";
  if (!isNamed) throw unexpected(resource, "object");
  const kind = textAt(value, "kind");
  if (kind === resource.kind) return value as unknown as T;
  if (kind !== undefined && kind !== "") throw unexpected(resource, "object");
  // The items of a list need not say what they are.
  return { ...value, apiVersion: apiVersionOf(resource), kind: resource.kind } as unknown as T;
}

/** One line of a watch. @throws ApiFault: what the line says, or InternalError when it says nothing that can be read */
function eventOf<T extends ApiObject>(
  resource: Resource<T>,
  line: string,
): WatchEvent<T> | { readonly bookmark: string } {
  const parsed = parsedLine(resource, line);
  const { object } = parsed;
  const type = textAt(parsed, "type") ?? "";
  switch (type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return { type, object: objectOf(resource, object) };
    case "BOOKMARK":
      return { bookmark: textAt(object, "metadata", "resourceVersion") ?? "" };
    case "ERROR":
      throw faultOfStatus(object ?? null);
    default:
      throw unexpected(resource, "watch event");
  }
}

function parsedLine(resource: Resource<ApiObject>, line: string): JsonObject {
  try {
    const parsed = JSON.parse(line) as unknown;
    if (isJsonObject(parsed)) return parsed;
  } catch {
    // Told below, without the line: it may be long, and of anybody's making.
  }
  throw unexpected(resource, "watch event");
}
