/** JSON that has been parsed and is not changed any more. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

const nothing: JsonObject = Object.freeze({});

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value at a path of own member names; undefined where there is none. */
export function dig(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let current = value;
  for (const name of path) {
    if (!isJsonObject(current) || !Object.hasOwn(current, name)) return undefined;
    current = current[name];
  }
  return current;
}

/** The object at a path, or an empty one. */
export function objectAt(value: Json | undefined, ...path: readonly string[]): JsonObject {
  const found = dig(value, ...path);
  return isJsonObject(found) ? found : nothing;
}

/** The list at a path, or an empty one. */
export function listAt(value: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = dig(value, ...path);
  return isJsonList(found) ? found : [];
}

export const isJsonList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

export function textAt(value: Json | undefined, ...path: readonly string[]): string | undefined {
  const found = dig(value, ...path);
  return typeof found === "string" ? found : undefined;
}

export function numberAt(value: Json | undefined, ...path: readonly string[]): number | undefined {
  const found = dig(value, ...path);
  return typeof found === "number" ? found : undefined;
}

/** The string members of the object at a path: labels, annotations. */
export function textsAt(value: Json | undefined, ...path: readonly string[]): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const [name, text] of Object.entries(objectAt(value, ...path))) if (typeof text === "string") texts[name] = text;
  return texts;
}

/** Equal as JSON: order of object members does not matter, a member that is undefined is absent. */
export function jsonEqual(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (isJsonList(a)) {
    return isJsonList(b) && a.length === b.length && a.every((item, index) => jsonEqual(item, b[index]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  for (const name of Object.keys(a)) if (!jsonEqual(a[name], dig(b, name))) return false;
  for (const name of Object.keys(b)) if (b[name] !== undefined && dig(a, name) === undefined) return false;
  return true;
}

/** `object` with the member at `path` replaced; undefined removes it. Objects on the way are made where missing. */
export function withAt(object: JsonObject, path: readonly string[], value: Json | undefined): JsonObject {
  const [name, ...rest] = path;
  if (name === undefined) return isJsonObject(value) ? value : nothing;
  if (rest.length > 0) return { ...object, [name]: withAt(objectAt(object, name), rest, value) };
  const { [name]: _dropped, ...others } = object;
  return value === undefined ? others : { ...object, [name]: value };
}
