import {
  apiVersionOf,
  ApiFault,
  conform,
  dig,
  forbidden,
  isJsonObject,
  type Json,
  jsonEqual,
  type JsonObject,
  listAt,
  missingFields,
  objectAt,
  type StatusCause,
  textAt,
  validateMetadata,
  type ValidationSettings,
  withAt,
  withDefaults,
} from "@shallop/sdk/api";
import { badRequest, invalidObject } from "./faults.ts";
import type { Machinery, Target, WriteOptions } from "./machinery.ts";
import type { StoredObject } from "./objects.ts";

/** What turns the body of a write into an object of its kind: the same steps for every kind and verb. */

/**
 * Holds a body against its kind: apiVersion and kind, types, unknown fields.
 * @throws ApiFault BadRequest, Invalid
 */
export function decodeObject(target: Target, body: Json, options: WriteOptions): JsonObject {
  const { kind } = target;
  const apiVersion = apiVersionOf(kind.resource);
  if (!isJsonObject(body)) throw badRequest(`the body must be a ${kind.resource.kind} object`);
  const given = `${textAt(body, "apiVersion") ?? ""} ${textAt(body, "kind") ?? ""}`;
  if (given !== `${apiVersion} ${kind.resource.kind}`) {
    throw badRequest(
      `${kind.resource.kind} in version "${apiVersion}" cannot be handled as a ${kind.resource.kind}: the body says ` +
        `apiVersion "${textAt(body, "apiVersion") ?? ""}", kind "${textAt(body, "kind") ?? ""}"`,
    );
  }
  const { value, unknownFields, causes } = conform(kind.type, body);
  refuseUnknown(target, unknownFields, options);
  if (causes.length > 0) throw invalidObject(kind, textAt(value, "metadata", "name") ?? "", causes);
  // First what it is: so people like to read it, whatever the order in the body.
  return { apiVersion, kind: kind.resource.kind, ...value };
}

/** Does about unknown or repeated fields what the writer asked for. @throws ApiFault BadRequest */
function refuseUnknown(target: Target, unknownFields: readonly string[], options: WriteOptions): void {
  const { kind } = target.kind.resource;
  const mode = options.fieldValidation ?? "Warn";
  const texts = [
    ...unknownFields.map((path) => `unknown field "${path}"`),
    ...(options.duplicateFields ?? []).map((path) => `duplicate field "${path}"`),
  ];
  if (texts.length === 0 || mode === "Ignore") return;
  if (mode === "Warn") {
    for (const text of texts) options.warn?.(text);
    return;
  }
  throw badRequest(
    `${kind} in version "${apiVersionOf(target.kind.resource)}" cannot be handled as a ${kind}: ` +
      `strict decoding error: ${texts.join(", ")}`,
  );
}

/** `metadata` of a new object: what the server sets is set, whatever the body said. */
export function newMetadata(machinery: Machinery, target: Target, object: JsonObject, name: string): JsonObject {
  const given = objectAt(object, "metadata");
  const {
    resourceVersion: _version,
    selfLink: _link,
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    ...kept
  } = given;
  return {
    ...object,
    metadata: withoutUndefined({
      ...kept,
      name,
      namespace: target.kind.resource.namespaced ? target.namespace : undefined,
      uid: machinery.random.uuid(),
      generation: 1,
      creationTimestamp: creationTime(machinery),
    }),
  };
}

const creationTime = (machinery: Machinery): string =>
  `${new Date(machinery.clock.wallMs()).toISOString().slice(0, 19)}Z`;

/** `next` with the parts of `metadata` that only the server changes taken from `old`. */
export function withServerMetadata(next: JsonObject, old: StoredObject): JsonObject {
  const kept: Record<string, Json | undefined> = { ...objectAt(next, "metadata") };
  for (const field of [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "selfLink",
  ]) {
    kept[field] = old.metadata[field];
  }
  return { ...next, metadata: withoutUndefined(kept) };
}

function withoutUndefined(object: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** Defaults, then every check of the kind. @throws ApiFault Invalid with all bad fields */
export function completed(
  machinery: Machinery,
  target: Target,
  object: JsonObject,
  old: StoredObject | undefined,
): JsonObject {
  const { kind } = target;
  const full = withDefaults(kind, object);
  const causes: StatusCause[] = [
    ...(kind.builtin ? [] : missingFields(kind.type, full)),
    ...validateMetadata(full, kind.nameRule),
    ...(old === undefined ? [] : validateFinalizerChange(full, old)),
    ...kind.validate(full, old, validationOf(machinery, target)),
  ];
  if (causes.length > 0) throw invalidObject(kind, textAt(full, "metadata", "name") ?? "", distinct(causes));
  return full;
}

const validationOf = ({ validation }: Machinery, { subresource }: Target): ValidationSettings =>
  subresource === undefined ? validation : { ...validation, subresource };

/** The schema and the kind's own checks can find the same fault. */
const distinct = (causes: readonly StatusCause[]): StatusCause[] => [
  ...new Map(causes.map((cause) => [`${cause.field ?? ""} ${cause.message}`, cause])).values(),
];

function validateFinalizerChange(object: JsonObject, old: StoredObject): StatusCause[] {
  if (old.metadata["deletionTimestamp"] === undefined) return [];
  const before = listAt(old, "metadata", "finalizers");
  const added = listAt(object, "metadata", "finalizers").filter((finalizer) => !before.includes(finalizer));
  if (added.length === 0) return [];
  const found = added.map((finalizer) => JSON.stringify(finalizer)).join(", ");
  return [
    forbidden(
      "metadata.finalizers",
      `no new finalizers can be added if the object is being deleted, found new finalizers [${found}]`,
    ),
  ];
}

/** `next` with the generation that its change makes. */
export function withGeneration(target: Target, next: JsonObject, old: StoredObject): JsonObject {
  const changed = target.kind.generationOf.some((field) => !jsonEqual(dig(next, field), dig(old, field)));
  const generation = dig(old, "metadata", "generation");
  const before = typeof generation === "number" ? generation : 1;
  return withAt(next, ["metadata", "generation"], changed ? before + 1 : before);
}

/** The body names the object that the URL names, or leaves it out. @throws ApiFault BadRequest */
export function checkNames(target: Target, object: JsonObject): void {
  const name = textAt(object, "metadata", "name");
  const namespace = textAt(object, "metadata", "namespace");
  if (target.name !== undefined && name !== undefined && name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`);
  }
  if (target.kind.resource.namespaced && namespace !== undefined && namespace !== target.namespace) {
    throw new ApiFault(
      "BadRequest",
      `the namespace of the provided object does not match the namespace sent on the request`,
    );
  }
}
