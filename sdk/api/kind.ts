import type { StatusCause } from "./fault.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject } from "./json.ts";
import type { ApiObject } from "./meta.ts";
import type { Resource } from "./resources.ts";
import type { NameRule } from "./validation/name-rules.ts";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

/** What every kind that users manage can do. */
export const allVerbs: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];

export type Subresource = "status" | "log" | "eviction" | "exec" | "attach" | "portforward" | "finalize" | "resize";

/** A column of `kubectl get`. */
export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly format?: "name";
  readonly description: string;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  /** `nowMs` is wall time, for ages. */
  readonly cell: (object: JsonObject, nowMs: number) => string | number | null;
}

/** A default: `["spec.containers[].terminationMessagePolicy", "File"]`. Set where the field is absent and its parent is there. */
export type FieldDefault = readonly [path: string, value: Json];

/** What validation may know beside the object. */
export interface ValidationSettings {
  /** `allow-zero-initial-scale` of Knative's config-autoscaler. */
  readonly allowZeroInitialScale: boolean;
  /** `max-scale-limit` of the same; 0 or absent: there is none. */
  readonly maxScaleLimit?: number;
  /** What is written; absent: the object itself. */
  readonly subresource?: Subresource;
}

/**
 * A kind of object, as data: everything the API server needs to serve it. A new kind is one file under `kinds/` that
 * makes one of these, its types in `types/`, and a line in `kinds.ts`.
 */
export interface KindDefinition {
  readonly resource: Resource<ApiObject>;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** One sentence, for `kubectl explain`. */
  readonly description: string;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly Subresource[];
  /** Name of the kind's type in the type table. */
  readonly type: string;
  /**
   * True for built-in kinds: strategic merge patch, updates without resourceVersion, labels and annotations writable
   * through `status`, and required fields left to `validate`. False behaves as a custom resource does.
   */
  readonly builtin: boolean;
  readonly nameRule: NameRule;
  /** Top-level fields whose change raises `metadata.generation`. */
  readonly generationOf: readonly string[];
  /** Fields that field selectors may name, beside `metadata.name` and `metadata.namespace`, each with its value when absent. */
  readonly selectableFields: Readonly<Record<string, string>>;
  readonly columns: readonly Column[];
  readonly defaults: readonly FieldDefault[];
  /** Defaults that depend on other fields. Runs after `defaults`; must be idempotent. */
  readonly derive?: (object: JsonObject) => JsonObject;
  /** `status` of a new object; absent: none. */
  readonly initialStatus?: (object: JsonObject) => JsonObject;
  /** True where a new object keeps the status that its writer gave (Node). */
  readonly statusOnCreate?: boolean;
  /** Every fault of `object`, which already has the right types; `old` is what it replaces. */
  readonly validate: (object: JsonObject, old: JsonObject | undefined, settings: ValidationSettings) => StatusCause[];
  /** Seconds that a deletion leaves the object, for its owner to stop it; 0 or absent: deleted at once. */
  readonly gracePeriodSeconds?: (object: JsonObject) => number;
}

/** Sets the defaults of a kind. Does not change `object`. */
export function withDefaults(kind: KindDefinition, object: JsonObject): JsonObject {
  let result = object;
  for (const [path, value] of kind.defaults) result = setDefault(result, path.split("."), value);
  return kind.derive?.(result) ?? result;
}

function setDefault(object: JsonObject, path: readonly string[], value: Json): JsonObject {
  const [step = "", ...rest] = path;
  const name = step.replace("[]", "");
  const member = Object.hasOwn(object, name) ? object[name] : undefined;
  if (rest.length === 0) return member === undefined ? { ...object, [name]: value } : object;
  if (step.endsWith("[]")) {
    if (!isJsonList(member)) return object;
    return { ...object, [name]: member.map((item) => (isJsonObject(item) ? setDefault(item, rest, value) : item)) };
  }
  return isJsonObject(member) ? { ...object, [name]: setDefault(member, rest, value) } : object;
}
