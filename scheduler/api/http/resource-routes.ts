import type { JsonObject, Subresource } from "@shallop/sdk/api";
import { applyObject } from "../apply/apply.ts";
import { type DeleteOptions, deleteCollection, deleteObject, parseDeleteOptions } from "../delete.ts";
import { evictPod } from "../evict.ts";
import { methodNotAllowed } from "../faults.ts";
import type { Machinery, ObjectTarget, Target, WriteOptions } from "../machinery.ts";
import type { StoredObject } from "../objects.ts";
import { patchObject } from "../patch.ts";
import { getObject, listObjects } from "../read.ts";
import type { User } from "../user.ts";
import { createObject, updateObject } from "../write.ts";
import { negotiate } from "./negotiate.ts";
import { booleanParameter, listOptions, watchOptions, writeParameters } from "./query.ts";
import { bodyResponse, parseIncludeObject, renderList, renderObject, type RenderRequest } from "./render.ts";
import { readObject, readOptionalObject, readPatch } from "./request-body.ts";
import { successStatus } from "./status.ts";
import type { WatchStreams } from "./watch-stream.ts";

export interface ResourceRequest {
  readonly request: Request;
  readonly query: URLSearchParams;
  readonly user: User;
}

/** HTTP for the verbs: what comes in is parsed, what goes out is rendered; decisions are the verbs'. */
export class ResourceRoutes {
  readonly #machinery: Machinery;
  readonly #watches: WatchStreams;

  constructor(machinery: Machinery, watches: WatchStreams) {
    this.#machinery = machinery;
    this.#watches = watches;
  }

  /** Answers a request for a resource. Logs are answered elsewhere. @throws ApiFault */
  handle(target: Target, call: ResourceRequest): Promise<Response> | Response {
    const { name } = target;
    return name === undefined ? this.#collection(target, call) : this.#object({ ...target, name }, call);
  }

  #collection(target: Target, call: ResourceRequest): Promise<Response> | Response {
    switch (call.request.method) {
      case "GET":
        return booleanParameter(call.query, "watch") === true ? this.#watch(target, call) : this.#list(target, call);
      case "POST":
        // A collection over all namespaces takes no objects.
        if (target.kind.resource.namespaced && target.namespace === undefined) throw methodNotAllowed(target.kind);
        return this.#create(target, call);
      case "DELETE":
        if (!target.kind.verbs.includes("deletecollection")) throw methodNotAllowed(target.kind);
        return this.#deleteCollection(target, call);
      default:
        throw methodNotAllowed(target.kind);
    }
  }

  #object(target: ObjectTarget, call: ResourceRequest): Promise<Response> | Response {
    const { method } = call.request;
    if (target.subresource === "eviction" && method === "POST") return this.#evict(target, call);
    if (!methodsOf(target.subresource).includes(method)) throw methodNotAllowed(target.kind);
    switch (method) {
      case "GET":
        return this.#get(target, call);
      case "PUT":
        return this.#update(target, call);
      case "PATCH":
        return this.#patch(target, call);
      default:
        return this.#delete(target, call);
    }
  }

  async #evict(target: ObjectTarget, call: ResourceRequest): Promise<Response> {
    const render = this.#render(target, call);
    const { value } = await readObject(call.request, this.#machinery.clock);
    await evictPod(this.#machinery, target, value, call.user);
    return bodyResponse(render.rendering, successStatus({ name: target.name, kind: "pods" }), { status: 201 });
  }

  #get(target: ObjectTarget, call: ResourceRequest): Response {
    const { kind } = target;
    if (booleanParameter(call.query, "watch") === true) throw methodNotAllowed(kind);
    const render = this.#render(target, call);
    return this.#answer(render, getObject(this.#machinery, target, call.user), 200);
  }

  #list(target: Target, call: ResourceRequest): Response {
    const render = this.#render(target, call);
    const list = listObjects(this.#machinery, target, listOptions(call.query), call.user);
    return bodyResponse(render.rendering, renderList(render, list));
  }

  #watch(target: Target, call: ResourceRequest): Response {
    const render = this.#render(target, call);
    return this.#watches.open(target, { ...watchOptions(call.query), user: call.user }, render);
  }

  async #create(target: Target, call: ResourceRequest): Promise<Response> {
    const render = this.#render(target, call);
    const { value, duplicates } = await readObject(call.request, this.#machinery.clock);
    const { options, warnings } = writeOptions(call, duplicates);
    const object = await createObject(this.#machinery, target, value, options);
    return this.#answer(render, object, 201, warnings);
  }

  async #update(target: ObjectTarget, call: ResourceRequest): Promise<Response> {
    const render = this.#render(target, call);
    const { value, duplicates } = await readObject(call.request, this.#machinery.clock);
    const { options, warnings } = writeOptions(call, duplicates);
    const object = await updateObject(this.#machinery, target, value, options);
    return this.#answer(render, object, 200, warnings);
  }

  async #patch(target: ObjectTarget, call: ResourceRequest): Promise<Response> {
    const render = this.#render(target, call);
    const patch = await readPatch(call.request, this.#machinery.clock, target.kind.builtin);
    const { options, warnings } = writeOptions(call, patch.duplicates);
    const { kind, body } = patch;
    if (kind === "apply") {
      const force = booleanParameter(call.query, "force") ?? false;
      // Who applies must say who it is.
      const manager = writeParameters(call.query).fieldManager ?? "";
      const { object, created } = await applyObject(this.#machinery, target, { body, force, manager }, options);
      return this.#answer(render, object, created ? 201 : 200, warnings);
    }
    const object = await patchObject(this.#machinery, target, { kind, body }, options);
    return this.#answer(render, object, 200, warnings);
  }

  async #delete(target: ObjectTarget, call: ResourceRequest): Promise<Response> {
    const render = this.#render(target, call);
    const { object, gone } = await deleteObject(this.#machinery, target, await this.#deleteOptions(call));
    if (!gone) return this.#answer(render, object, 200);
    // Pods are answered with their last state, everything else with what became of it, as apiserver does.
    if (target.kind.gracePeriodSeconds !== undefined) return this.#answer(render, object, 200);
    const { group, plural } = target.kind.resource;
    const details = { name: target.name, ...(group === "" ? {} : { group }), kind: plural, uid: object.metadata.uid };
    return bodyResponse(render.rendering, successStatus(details));
  }

  async #deleteCollection(target: Target, call: ResourceRequest): Promise<Response> {
    const render = this.#render(target, call);
    const options = await this.#deleteOptions(call);
    const deleted = await deleteCollection(this.#machinery, target, listOptions(call.query), options);
    return bodyResponse(render.rendering, renderList(render, deleted));
  }

  /** From the body, and from the query, which older clients use. */
  async #deleteOptions({ request, query, user }: ResourceRequest): Promise<DeleteOptions> {
    const body = await readOptionalObject(request, this.#machinery.clock);
    const graceSeconds = query.get("gracePeriodSeconds");
    const policy = query.get("propagationPolicy");
    const fromQuery: JsonObject = {
      ...(graceSeconds === null ? {} : { gracePeriodSeconds: Number(graceSeconds) }),
      ...(policy === null ? {} : { propagationPolicy: policy }),
      ...(writeParameters(query).dryRun ? { dryRun: ["All"] } : {}),
    };
    return parseDeleteOptions({ ...fromQuery, ...body }, user);
  }

  #render(target: Target, { request, query }: ResourceRequest): RenderRequest {
    return {
      kind: target.kind,
      rendering: negotiate(request.headers.get("accept") ?? undefined),
      includeObject: parseIncludeObject(query.get("includeObject") ?? undefined),
      nowMs: this.#machinery.clock.wallMs(),
    };
  }

  #answer(render: RenderRequest, object: StoredObject, status: number, warnings: readonly string[] = []): Response {
    const headers = new Headers();
    // RFC 7234, section 5.5, as kubectl prints it: `Warning: unknown field "spec.x"`.
    for (const text of warnings) headers.append("warning", `299 - ${JSON.stringify(text)}`);
    return bodyResponse(render.rendering, renderObject(render, object), { status, headers });
  }
}

/** `kubectl/v1.32.4 (linux/amd64)` → `kubectl`: apiserver's name for a writer that gives none. */
const managerFrom = (userAgent: string): string =>
  (userAgent.split("/", 1)[0] ?? "").replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 128) || "unknown";

function methodsOf(subresource: Subresource | undefined): readonly string[] {
  switch (subresource) {
    case undefined:
      return ["GET", "PUT", "PATCH", "DELETE"];
    case "status":
    case "resize":
      return ["GET", "PUT", "PATCH"];
    case "finalize":
      return ["PUT"];
    case "eviction":
    case "log":
    case "exec":
    case "attach":
    case "portforward":
      return [];
    default:
      return subresource satisfies never;
  }
}

// A response has room for so many; more are of no more use.
const warningsMax = 20;

function writeOptions(
  { query, user, request }: ResourceRequest,
  duplicateFields: readonly string[],
): { readonly options: WriteOptions; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  const warn = (text: string): void => {
    // Header values are printable ASCII; field names come from outside.
    const shown = text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 256);
    if (warnings.length < warningsMax && !warnings.includes(shown)) warnings.push(shown);
  };
  const parameters = writeParameters(query);
  const fieldManager = parameters.fieldManager ?? managerFrom(request.headers.get("user-agent") ?? "");
  return { options: { ...parameters, user, duplicateFields, warn, fieldManager }, warnings };
}
