import {
  dig,
  type FieldType,
  isJsonList,
  isJsonObject,
  isScalar,
  type Json,
  jsonEqual,
  type JsonObject,
  listAt,
  messageType,
  objectAt,
} from "@shallop/sdk/api";
import { badRequest } from "./faults.ts";
import { mergePatch } from "./merge-patch.ts";

// k8s.io/apimachinery/pkg/util/strategicpatch: a merge patch that knows from the types which lists are merged and by
// which key, with directives beside the fields.

const orderPrefix = "$setElementOrder/";
const deletePrefix = "$deleteFromPrimitiveList/";

/** `original` of the type called `type`, changed by `patch`. Does not change its arguments. @throws ApiFault BadRequest */
export function strategicMerge(type: string, original: JsonObject, patch: JsonObject): JsonObject {
  const directive = patch["$patch"];
  if (directive === "replace") return withoutDirectives(patch);
  if (directive === "delete") return {};
  if (directive !== undefined && directive !== "merge") {
    throw badRequest(`unrecognized type: $patch: ${JSON.stringify(directive)} is not delete, replace or merge`);
  }
  const { fields } = messageType(type);
  const result = new Map<string, Json | undefined>(Object.entries(original));
  for (const [name, change] of Object.entries(withoutDirectives(patch))) {
    if (change === null) result.delete(name);
    else if (change !== undefined) result.set(name, mergedField(fields.get(name), dig(original, name), change, patch));
  }
  for (const [key, values] of Object.entries(patch)) {
    if (!key.startsWith(deletePrefix)) continue;
    const name = key.slice(deletePrefix.length);
    const present = result.get(name);
    if (isJsonList(present))
      result.set(
        name,
        present.filter((item) => !listOf(values).includes(item)),
      );
  }
  orderOnly(fields, result, patch);
  const retained = patch["$retainKeys"];
  if (isJsonList(retained)) for (const name of result.keys()) if (!retained.includes(name)) result.delete(name);
  return Object.fromEntries(result);
}

const listOf = (value: Json | undefined): readonly Json[] => (isJsonList(value) ? value : []);

const withoutDirectives = (patch: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(patch).filter(([name]) => !name.startsWith("$")));

function mergedField(field: FieldType | undefined, before: Json | undefined, change: Json, patch: JsonObject): Json {
  if (isJsonObject(change)) {
    const target = isJsonObject(before) ? before : {};
    // Maps, and fields that no type knows (validation drops those), are merged as plain JSON.
    if (field === undefined || field.shape !== "one" || isScalar(field.type)) return mergePatch(target, change);
    return strategicMerge(field.type, target, change);
  }
  if (!isJsonList(change) || field?.merge === undefined) return change;
  const order = listAt(patch, orderPrefix + field.name);
  const present = listOf(before);
  const { key } = field.merge;
  if (key === undefined) return ordered(union(present, change), present, order, jsonEqual);
  const merged = mergedList(field.type, key, present, change);
  return ordered(merged, present, order, (a, b) => jsonEqual(dig(a, key), dig(b, key)));
}

/** `$setElementOrder/x` without a change of x: only the order changes. */
function orderOnly(
  fields: ReadonlyMap<string, FieldType>,
  result: Map<string, Json | undefined>,
  patch: JsonObject,
): void {
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(orderPrefix)) continue;
    const name = key.slice(orderPrefix.length);
    const field = fields.get(name);
    const present = result.get(name);
    if (field?.merge === undefined || !isJsonList(present) || patch[name] !== undefined) continue;
    const mergeKey = field.merge.key;
    const same =
      mergeKey === undefined ? jsonEqual : (a: Json, b: Json) => jsonEqual(dig(a, mergeKey), dig(b, mergeKey));
    result.set(name, ordered(present, present, listOf(order), same));
  }
}

function union(present: readonly Json[], change: readonly Json[]): Json[] {
  return [...present, ...change.filter((item) => !present.some((other) => jsonEqual(other, item)))];
}

function mergedList(type: string, key: string, present: readonly Json[], change: readonly Json[]): readonly Json[] {
  if (change.some((item) => dig(item, "$patch") === "replace")) {
    return change.filter((item) => dig(item, "$patch") !== "replace");
  }
  const result = [...present];
  for (const item of change) {
    const id = dig(item, key);
    if (id === undefined)
      throw badRequest(`map: ${JSON.stringify(item).slice(0, 200)} does not contain declared merge key: ${key}`);
    const index = result.findIndex((other) => jsonEqual(dig(other, key), id));
    if (dig(item, "$patch") === "delete") {
      if (index !== -1) result.splice(index, 1);
    } else if (index === -1) result.push(strategicMerge(type, {}, objectAt(item)));
    else result[index] = strategicMerge(type, objectAt(result[index]), objectAt(item));
  }
  return result;
}

/**
 * strategicpatch.normalizeElementOrder: what `order` names comes in that order; the rest stays where it was relative to
 * its neighbours in `present`.
 */
function ordered(
  merged: readonly Json[],
  present: readonly Json[],
  order: readonly Json[],
  same: (a: Json, b: Json) => boolean,
): readonly Json[] {
  if (order.length === 0) return merged;
  const place = (list: readonly Json[], item: Json): number => list.findIndex((other) => same(other, item));
  const named = merged.filter((item) => place(order, item) !== -1).sort((a, b) => place(order, a) - place(order, b));
  const others = merged.filter((item) => place(order, item) === -1);
  const result: Json[] = [];
  let left = 0;
  let right = 0;
  while (left < others.length && right < named.length) {
    const other = others[left] ?? null;
    const next = named[right] ?? null;
    const otherAt = place(present, other);
    const nextAt = place(present, next);
    if (otherAt !== -1 && nextAt !== -1 && nextAt < otherAt) {
      result.push(next);
      right++;
    } else {
      result.push(other);
      left++;
    }
  }
  return [...result, ...others.slice(left), ...named.slice(right)];
}
