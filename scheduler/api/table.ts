import { type Column, type Json, type JsonObject, type KindDefinition, objectAt } from "@shallop/sdk/api";

/** What of each object a Table carries: nothing, its metadata, or all of it. */
export type IncludeObject = "None" | "Metadata" | "Object";

export interface TableOptions {
  readonly includeObject: IncludeObject;
  /** `meta.k8s.io/v1` or `…/v1beta1`, as asked. */
  readonly apiVersion: string;
  readonly nowMs: number;
  /** The later events of a watch leave the columns out. */
  readonly withColumns: boolean;
  readonly metadata: JsonObject;
}

/** `meta.k8s.io/v1` Table: what `kubectl get` prints. */
export function toTable(kind: KindDefinition, objects: readonly JsonObject[], options: TableOptions): JsonObject {
  return {
    kind: "Table",
    apiVersion: options.apiVersion,
    metadata: options.metadata,
    columnDefinitions: options.withColumns ? kind.columns.map(columnDefinition) : null,
    rows: objects.map((object) => ({
      cells: kind.columns.map((column) => column.cell(object, options.nowMs)),
      ...row(object, options),
    })),
  };
}

/** A bookmark as a Table: one row, whose object carries the version (and the mark of the end of initial events). */
export function bookmarkTable(kind: KindDefinition, bookmark: JsonObject, options: TableOptions): JsonObject {
  return {
    kind: "Table",
    apiVersion: options.apiVersion,
    metadata: options.metadata,
    columnDefinitions: options.withColumns ? kind.columns.map(columnDefinition) : null,
    rows: [{ cells: kind.columns.map(() => ""), object: bookmark }],
  };
}

function row(object: JsonObject, options: TableOptions): JsonObject {
  switch (options.includeObject) {
    case "None":
      return {};
    case "Object":
      return { object };
    case "Metadata":
      return { object: partialObject(object, options.apiVersion) };
    default:
      return options.includeObject satisfies never;
  }
}

/** `meta.k8s.io` PartialObjectMetadata of an object. */
export const partialObject = (object: JsonObject, apiVersion = "meta.k8s.io/v1"): JsonObject => ({
  kind: "PartialObjectMetadata",
  apiVersion,
  metadata: objectAt(object, "metadata"),
});

const columnDefinition = (column: Column): Json => ({
  name: column.name,
  type: column.type,
  format: column.format ?? "",
  description: column.description,
  priority: column.wide === true ? 1 : 0,
});
