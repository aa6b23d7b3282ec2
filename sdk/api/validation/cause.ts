import type { StatusCause } from "../fault.ts";
import type { Json } from "../json.ts";

// The words of k8s.io/apimachinery/pkg/util/validation/field: clients and tests look for them.

/** How messages show a value: text quoted, lists and objects as JSON; long ones cut, since they come from outside. */
function shown(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length > 256 ? `${text.slice(0, 256)}…` : text;
}

const cause = (reason: string, field: string, message: string): StatusCause => ({ reason, message, field });

export const required = (path: string, detail = ""): StatusCause =>
  cause("FieldValueRequired", path, detail === "" ? "Required value" : `Required value: ${detail}`);

export const invalid = (path: string, value: Json | undefined, detail: string): StatusCause =>
  cause("FieldValueInvalid", path, `Invalid value: ${shown(value)}: ${detail}`);

export const forbidden = (path: string, detail: string): StatusCause =>
  cause("FieldValueForbidden", path, `Forbidden: ${detail}`);

export const duplicate = (path: string, value: Json): StatusCause =>
  cause("FieldValueDuplicate", path, `Duplicate value: ${shown(value)}`);

export const notSupported = (path: string, value: Json, supported: readonly string[]): StatusCause =>
  cause(
    "FieldValueNotSupported",
    path,
    `Unsupported value: ${shown(value)}: supported values: ${supported.map((text) => `"${text}"`).join(", ")}`,
  );

/** A value of the wrong JSON type; `expected` is the word of OpenAPI. */
export function typeInvalid(path: string, value: Json, expected: string): StatusCause {
  const actual = jsonType(value);
  return cause(
    "FieldValueTypeInvalid",
    path,
    `Invalid value: "${actual}": ${path} in body must be of type ${expected}: "${actual}"`,
  );
}

function jsonType(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}
