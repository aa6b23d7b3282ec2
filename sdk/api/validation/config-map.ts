import type { StatusCause } from "../fault.ts";
import { dig, jsonEqual, type JsonObject, objectAt } from "../json.ts";
import { forbidden, invalid } from "./cause.ts";

// kubernetes/pkg/apis/core/validation/validation.go, ValidateConfigMap.
const bytesMax = 1024 * 1024;

export function validateConfigMap(object: JsonObject, old: JsonObject | undefined): StatusCause[] {
  const causes: StatusCause[] = [];
  const lists = ["data", "binaryData"] as const;
  let bytes = 0;
  for (const list of lists) {
    for (const [key, value] of Object.entries(objectAt(object, list))) {
      if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key) || key === "." || key.startsWith("..")) {
        const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        causes.push(invalid(`${list}[${key}]`, key, rule));
      }
      if (list === "binaryData" && dig(object, "data", key) !== undefined) {
        causes.push(invalid(`${list}[${key}]`, key, "duplicate of key present in data"));
      }
      if (typeof value === "string") bytes += Buffer.byteLength(value);
    }
  }
  if (bytes > bytesMax) causes.push(invalid("", bytes, `must have at most ${bytesMax} bytes`));
  if (old === undefined || dig(old, "immutable") !== true) return causes;
  const why = "field is immutable when `immutable` is set";
  if (dig(object, "immutable") !== true) causes.push(forbidden("immutable", why));
  for (const list of lists) {
    if (!jsonEqual(objectAt(object, list), objectAt(old, list))) causes.push(forbidden(list, why));
  }
  return causes;
}
