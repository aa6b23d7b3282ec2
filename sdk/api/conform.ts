import type { StatusCause } from "./fault.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject } from "./json.ts";
import { parseQuantity } from "./quantity.ts";
import { type FieldType, isScalar, messageType, type Scalar } from "./types/type-table.ts";
import { invalid, required, typeInvalid } from "./validation/cause.ts";

export interface Conformed {
  /** The object without nulls and without fields that its type does not have. */
  readonly value: JsonObject;
  /** Paths of the fields that were dropped: `spec.templat`, `spec.containers[0].imag`. */
  readonly unknownFields: readonly string[];
  /** Every value of the wrong type, by path. */
  readonly causes: readonly StatusCause[];
}

/** Holds `value` against the type called `type`: drops what is unknown, reports all that does not fit. */
export function conform(type: string, value: JsonObject): Conformed {
  const walk = new Walk();
  return { value: walk.message(type, value, ""), unknownFields: walk.unknownFields, causes: walk.causes };
}

class Walk {
  readonly unknownFields: string[] = [];
  readonly causes: StatusCause[] = [];

  message(type: string, value: JsonObject, path: string): JsonObject {
    const { fields } = messageType(type);
    const result: Record<string, Json> = {};
    for (const [name, member] of Object.entries(value)) {
      const field = fields.get(name);
      const at = path === "" ? name : `${path}.${name}`;
      if (field === undefined) {
        this.unknownFields.push(at);
        continue;
      }
      // Go decodes null as the zero value, which an optional field leaves out.
      if (member === null || member === undefined) continue;
      result[name] = this.#field(field, member, at);
    }
    return result;
  }

  #field(field: FieldType, value: Json, path: string): Json {
    if (field.shape === "list") {
      if (!isJsonList(value)) return this.#mistyped(path, value, "array");
      return value.map((item, index) => this.#one(field.type, item, `${path}[${index}]`));
    }
    if (field.shape === "map") {
      if (!isJsonObject(value)) return this.#mistyped(path, value, "object");
      const members: Record<string, Json> = {};
      for (const [name, member] of Object.entries(value)) {
        if (member !== undefined && member !== null) members[name] = this.#one(field.type, member, `${path}.${name}`);
      }
      return members;
    }
    return this.#one(field.type, value, path);
  }

  #one(type: string, value: Json, path: string): Json {
    if (isScalar(type)) return this.#scalar(type, value, path);
    if (!isJsonObject(value)) return this.#mistyped(path, value, "object");
    return this.message(type, value, path);
  }

  #scalar(type: Scalar, value: Json, path: string): Json {
    switch (type) {
      case "json":
        return value;
      case "string":
      case "bytes":
        return typeof value === "string" ? value : this.#mistyped(path, value, "string");
      case "bool":
        return typeof value === "boolean" ? value : this.#mistyped(path, value, "boolean");
      case "int32":
      case "int64":
        return this.#integer(type, value, path);
      case "int-or-string":
        return typeof value === "string" ? value : this.#integer("int32", value, path);
      case "time":
      case "microtime":
        return this.#time(value, path);
      case "quantity":
        return this.#quantity(value, path);
      default:
        return type satisfies never;
    }
  }

  #integer(type: "int32" | "int64", value: Json, path: string): Json {
    if (typeof value !== "number" || !Number.isInteger(value)) return this.#mistyped(path, value, "integer");
    // JSON numbers are doubles here: an int64 that they cannot hold exactly is refused rather than changed.
    const bound = type === "int32" ? 2 ** 31 : Number.MAX_SAFE_INTEGER;
    if (value < -bound || value >= bound) this.causes.push(invalid(path, value, `must fit in ${type}`));
    return value;
  }

  #time(value: Json, path: string): Json {
    if (typeof value !== "string") return this.#mistyped(path, value, "string");
    if (
      !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(value) ||
      Number.isNaN(Date.parse(value))
    ) {
      this.causes.push(invalid(path, value, "must be a time as RFC 3339 writes it, such as 2026-11-21T03:00:19Z"));
    }
    return value;
  }

  #quantity(value: Json, path: string): Json {
    if (typeof value !== "string" && typeof value !== "number") return this.#mistyped(path, value, "string");
    if (parseQuantity(value) === undefined) {
      const expression = "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
      this.causes.push(invalid(path, value, `quantities must match the regular expression ${expression}`));
    }
    return String(value);
  }

  #mistyped(path: string, value: Json, expected: string): Json {
    this.causes.push(typeInvalid(path, value, expected));
    return value;
  }
}

/** Required fields that `value`, which conforms to its type, does not have. Built-in kinds check that themselves. */
export function missingFields(type: string, value: JsonObject, path = ""): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const field of messageType(type).fields.values()) {
    const member = value[field.name];
    const at = path === "" ? field.name : `${path}.${field.name}`;
    if (member === undefined && field.required) causes.push(required(at));
    if (member === undefined || isScalar(field.type)) continue;
    if (field.shape === "one" && isJsonObject(member)) causes.push(...missingFields(field.type, member, at));
    if (field.shape === "list" && isJsonList(member)) {
      for (const [index, item] of member.entries()) {
        if (isJsonObject(item)) causes.push(...missingFields(field.type, item, `${at}[${index}]`));
      }
    }
  }
  return causes;
}
