import type { StatusCause } from "../fault.ts";
import { dig, isJsonObject, jsonEqual, type JsonObject, objectAt, textAt, withAt } from "../json.ts";
import { forbidden, invalid, required } from "./cause.ts";

// kubernetes/pkg/apis/core/validation/validation.go, ValidateSecret.
const bytesMax = 1024 * 1024;

/** The keys that a type of Secret has to have. */
const keysByType: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "shallop.dev/jwks": ["jwks.json"],
};

/** `stringData` is written into `data`, and never read back. */
export function withStringData(object: JsonObject): JsonObject {
  const texts = dig(object, "stringData");
  if (!isJsonObject(texts)) return object;
  const data: Record<string, string> = {};
  for (const [key, text] of Object.entries(texts)) {
    if (typeof text === "string") data[key] = Buffer.from(text, "utf8").toString("base64");
  }
  return withAt(withAt(object, ["data"], { ...objectAt(object, "data"), ...data }), ["stringData"], undefined);
}

export function validateSecret(object: JsonObject, old: JsonObject | undefined): StatusCause[] {
  const causes: StatusCause[] = [];
  const data = objectAt(object, "data");
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key))
      causes.push(
        invalid(`data[${key}]`, key, "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"),
      );
    if (typeof value !== "string") continue;
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value))
      // Never the value: it is a secret, and this is a message.
      causes.push(invalid(`data[${key}]`, "", "must be base64"));
    bytes += Math.floor((value.length * 3) / 4);
  }
  if (bytes > bytesMax) causes.push(invalid("data", bytes, `must have at most ${bytesMax} bytes`));
  const type = textAt(object, "type") ?? "";
  const keys = Object.hasOwn(keysByType, type) ? (keysByType[type] ?? []) : [];
  for (const key of keys) if (data[key] === undefined) causes.push(required(`data[${key}]`));
  if (type === "kubernetes.io/basic-auth" && data["username"] === undefined && data["password"] === undefined)
    causes.push(required("data[username]"), required("data[password]"));
  if (old === undefined) return causes;
  if ((textAt(old, "type") ?? "") !== type) causes.push(invalid("type", type, "field is immutable"));
  if (dig(old, "immutable") === true) {
    if (dig(object, "immutable") !== true)
      causes.push(forbidden("immutable", "field is immutable when `immutable` is set"));
    if (!jsonEqual(data, objectAt(old, "data")))
      causes.push(forbidden("data", "field is immutable when `immutable` is set"));
  }
  return causes;
}
