import { isJsonObject, type Json, type JsonObject } from "@shallop/sdk/api";

/** RFC 7386 "JSON Merge Patch": null removes, objects are merged, all else replaces. Does not change its arguments. */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const result = new Map<string, Json | undefined>(Object.entries(target));
  for (const [name, change] of Object.entries(patch)) {
    if (change === undefined) continue;
    if (change === null) result.delete(name);
    else if (isJsonObject(change)) {
      const before = result.get(name);
      result.set(name, mergePatch(isJsonObject(before) ? before : {}, change));
    } else result.set(name, change);
  }
  return Object.fromEntries(result);
}
