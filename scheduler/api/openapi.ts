import {
  fieldDescriptions,
  type FieldType,
  isScalar,
  type Json,
  type JsonObject,
  type KindDefinition,
  messageType,
  type Scalar,
} from "@shallop/sdk/api";
import { groupVersions } from "./discovery.ts";

/**
 * OpenAPI v3 documents, made from the kinds: what `kubectl explain` prints, and what apply and create look for before
 * they send (`fieldValidation` on the patch of a kind: k8s.io/kubectl QueryParamVerifierV3).
 */

/** `api/v1` → the document of core/v1; `apis/serving.knative.dev/v1` → that of Knative Serving. */
export function openApiDocument(path: string): JsonObject | undefined {
  const found = groupVersions.find(({ group, version }) => documentPath(group, version) === path);
  if (found === undefined) return undefined;
  const schemas = new Map<string, JsonObject>();
  for (const kind of found.kinds) collectSchemas(kind.type, schemas);
  for (const kind of found.kinds) {
    const schema = schemas.get(kind.type) ?? {};
    schemas.set(kind.type, { ...schema, description: kind.description, ...groupVersionKinds(kind) });
  }
  return {
    openapi: "3.0.0",
    info: { title: "Shallop", version: "v1" },
    paths: Object.fromEntries(found.kinds.map((kind) => [collectionPath(kind) + "/{name}", pathItem(kind)])),
    components: { schemas: Object.fromEntries(schemas) },
  };
}

export const documentPath = (group: string, version: string): string =>
  group === "" ? `api/${version}` : `apis/${group}/${version}`;

function collectionPath({ resource }: KindDefinition): string {
  const root = `/${documentPath(resource.group, resource.version)}`;
  return resource.namespaced ? `${root}/namespaces/{namespace}/${resource.plural}` : `${root}/${resource.plural}`;
}

const groupVersionKind = ({ resource: { group, version, kind } }: KindDefinition): JsonObject => ({
  group,
  version,
  kind,
});

const groupVersionKinds = (kind: KindDefinition): JsonObject => ({
  "x-kubernetes-group-version-kind": [groupVersionKind(kind)],
});

/** The operations that clients inspect: an object of the kind, and how it is patched. */
function pathItem(kind: KindDefinition): JsonObject {
  const parameter = (name: string, place: "path" | "query"): JsonObject => ({
    name,
    in: place,
    ...(place === "path" ? { required: true } : {}),
    schema: { type: "string", uniqueItems: true },
  });
  const content = { "application/json": { schema: reference(kind.type) } };
  const operation = (action: string): JsonObject => ({
    responses: { "200": { description: "OK", content } },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": groupVersionKind(kind),
  });
  const writeParameters = ["dryRun", "fieldManager", "fieldValidation"].map((name) => parameter(name, "query"));
  return {
    parameters: [
      parameter("name", "path"),
      ...(kind.resource.namespaced ? [parameter("namespace", "path")] : []),
      parameter("pretty", "query"),
    ],
    get: operation("get"),
    put: { ...operation("put"), parameters: writeParameters, requestBody: { content, required: true } },
    patch: { ...operation("patch"), parameters: [...writeParameters, parameter("force", "query")] },
    delete: operation("delete"),
  };
}

const reference = (type: string): JsonObject => ({ $ref: `#/components/schemas/${type}` });

/** Adds the schema of a type and of all that it reaches. */
function collectSchemas(type: string, schemas: Map<string, JsonObject>): void {
  if (schemas.has(type)) return;
  const { fields } = messageType(type);
  schemas.set(type, {});
  const properties: Record<string, Json> = {};
  for (const field of fields.values()) {
    if (!isScalar(field.type)) collectSchemas(field.type, schemas);
    const description = fieldDescriptions[`${type}.${field.name}`];
    properties[field.name] = { ...fieldSchema(field), ...(description === undefined ? {} : { description }) };
  }
  const required = [...fields.values()].filter((field) => field.required).map((field) => field.name);
  schemas.set(type, { type: "object", properties, ...(required.length === 0 ? {} : { required }) });
}

function fieldSchema(field: FieldType): JsonObject {
  // A $ref beside other members is ignored by OpenAPI v3 readers, hence allOf.
  const one = isScalar(field.type) ? scalarSchema(field.type) : { allOf: [reference(field.type)], default: {} };
  if (field.shape === "map") return { type: "object", additionalProperties: one };
  if (field.shape === "one") return one;
  return {
    type: "array",
    items: one,
    "x-kubernetes-list-type": field.listKeys.length > 0 ? "map" : field.set ? "set" : "atomic",
    ...(field.listKeys.length > 0 ? { "x-kubernetes-list-map-keys": field.listKeys } : {}),
    ...(field.merge === undefined
      ? {}
      : {
          "x-kubernetes-patch-strategy": field.retainKeys ? "merge,retainKeys" : "merge",
          ...(field.merge.key === undefined ? {} : { "x-kubernetes-patch-merge-key": field.merge.key }),
        }),
  };
}

function scalarSchema(type: Scalar): JsonObject {
  switch (type) {
    case "string":
      return { type: "string" };
    case "bool":
      return { type: "boolean" };
    case "int32":
    case "int64":
      return { type: "integer", format: type };
    case "bytes":
      return { type: "string", format: "byte" };
    case "time":
    case "microtime":
      return { type: "string", format: "date-time" };
    case "quantity":
      return { oneOf: [{ type: "string" }, { type: "number" }] };
    case "int-or-string":
      return { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] };
    case "json":
      return { type: "object" };
    default:
      return type satisfies never;
  }
}
