import { apiVersionOf, type JsonObject, type KindDefinition } from "@shallop/sdk/api";
import { stringify as stringifyYaml } from "yaml";
import { badRequest } from "../faults.ts";
import type { StoredObject } from "../objects.ts";
import type { ObjectList } from "../read.ts";
import { bookmarkTable, type IncludeObject, partialObject, type TableOptions, toTable } from "../table.ts";
import type { WatchFrame } from "../watch.ts";
import type { Rendering } from "./negotiate.ts";
import { faultStatus } from "./status.ts";

/** Objects, lists and watch events as the client asked to get them. */

export interface RenderRequest {
  readonly kind: KindDefinition;
  readonly rendering: Rendering;
  readonly includeObject: IncludeObject;
  readonly nowMs: number;
}

/** `includeObject` of the query. @throws ApiFault BadRequest */
export function parseIncludeObject(text: string | undefined): IncludeObject {
  if (text === undefined || text === "" || text === "Metadata") return "Metadata";
  if (text === "None" || text === "Object") return text;
  throw badRequest(`unrecognized includeObject value: "${text}"`);
}

export function renderObject(request: RenderRequest, object: StoredObject): JsonObject {
  const { kind, rendering } = request;
  switch (rendering.as) {
    case "object":
      return object;
    case "partial":
      return partialObject(object, rendering.apiVersion);
    case "table": {
      const { resourceVersion } = object.metadata;
      return toTable(kind, [object], tableOptions(request, { resourceVersion }));
    }
    default:
      return rendering.as satisfies never;
  }
}

export function renderList(request: RenderRequest, list: ObjectList): JsonObject {
  const { kind, rendering } = request;
  const { items, ...metadata } = list;
  switch (rendering.as) {
    case "object":
      return {
        kind: `${kind.resource.kind}List`,
        apiVersion: apiVersionOf(kind.resource),
        metadata,
        // Lists of built-in kinds leave out what each item is; lists of custom resources keep it.
        items: kind.builtin ? items.map(({ kind: _kind, apiVersion: _version, ...item }) => item) : items,
      };
    case "partial":
      return {
        kind: "PartialObjectMetadataList",
        apiVersion: rendering.apiVersion,
        metadata,
        items: items.map((item) => partialObject(item, rendering.apiVersion)),
      };
    case "table":
      return toTable(kind, items, tableOptions(request, metadata));
    default:
      return rendering.as satisfies never;
  }
}

/** A watch event as one line of JSON. `first`: no event came before, so a Table names its columns. */
export function renderFrame(request: RenderRequest, frame: WatchFrame, first: boolean): string {
  return `${JSON.stringify({ type: frame.type, object: frameObject(request, frame, first) })}\n`;
}

function frameObject(request: RenderRequest, frame: WatchFrame, first: boolean): JsonObject {
  const { kind, rendering } = request;
  if (frame.type === "ERROR") return faultStatus(frame.fault);
  if (frame.type === "BOOKMARK") {
    const bookmark = bookmarkObject(request, frame);
    if (rendering.as !== "table") return bookmark;
    return bookmarkTable(kind, bookmark, tableOptions(request, { resourceVersion: frame.resourceVersion }, first));
  }
  if (rendering.as !== "table") return renderObject(request, frame.object);
  const { resourceVersion } = frame.object.metadata;
  return toTable(kind, [frame.object], tableOptions(request, { resourceVersion }, first));
}

function bookmarkObject(
  { kind, rendering }: RenderRequest,
  frame: { readonly resourceVersion: string; readonly initial: boolean },
): JsonObject {
  const metadata = {
    resourceVersion: frame.resourceVersion,
    ...(frame.initial ? { annotations: { "k8s.io/initial-events-end": "true" } } : {}),
  };
  if (rendering.as === "partial") return partialObject({ metadata }, rendering.apiVersion);
  return { kind: kind.resource.kind, apiVersion: apiVersionOf(kind.resource), metadata };
}

const tableOptions = (request: RenderRequest, metadata: JsonObject, withColumns = true): TableOptions => ({
  includeObject: request.includeObject,
  apiVersion: request.rendering.apiVersion,
  nowMs: request.nowMs,
  withColumns,
  metadata,
});

export function bodyResponse(
  rendering: Pick<Rendering, "format">,
  body: JsonObject,
  init: ResponseInit = {},
): Response {
  if (rendering.format === "json") return Response.json(body, init);
  const headers = new Headers(init.headers);
  headers.set("content-type", "application/yaml");
  return new Response(stringifyYaml(body), { ...init, headers });
}
