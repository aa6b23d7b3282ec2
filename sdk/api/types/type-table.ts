import { assert } from "../../internal/assert.ts";
import { coreTypes } from "./core-v1.ts";
import { gatewayTypes } from "./gateway-v1.ts";
import { metaTypes } from "./meta-v1.ts";
import { metricsTypes } from "./metrics-v1beta1.ts";
import { networkTypes } from "./network-v1.ts";
import { policyTypes } from "./policy-v1.ts";
import { servingTypes } from "./serving-v1.ts";

/**
 * The types that objects are made of, as data. One notation feeds decoding, unknown-field detection, strategic merge,
 * protobuf and the OpenAPI documents:
 *
 *   TypeName
 *     field type number flags; field type number flags; …
 *
 * `type` is a scalar, another type, `[]type` or `map:type`. `number` is the protobuf field number. Flags: `!` required;
 * `keys=a,b` a list that is a map by these keys; `set` a list without repetition; `merge=k` / `merge` strategic merge by
 * key k / of primitives; `retain` strategic merge honours `$retainKeys`. The field `*` is a message that JSON inlines.
 */
export type Scalar =
  | "string"
  | "bool"
  | "int32"
  | "int64"
  | "bytes"
  | "time"
  | "microtime"
  | "quantity"
  | "int-or-string"
  | "json";

export interface FieldType {
  readonly name: string;
  /** A Scalar or the name of another type of the table. */
  readonly type: string;
  readonly shape: "one" | "list" | "map";
  readonly number: number | undefined;
  readonly required: boolean;
  /** Keys of a list that is a map: `x-kubernetes-list-map-keys`. */
  readonly listKeys: readonly string[];
  readonly set: boolean;
  /** How strategic merge patch joins this list; undefined replaces it. */
  readonly merge: { readonly key: string | undefined } | undefined;
  readonly retainKeys: boolean;
}

export interface MessageType {
  readonly name: string;
  /** The fields of the JSON form, inlined ones included. */
  readonly fields: ReadonlyMap<string, FieldType>;
  /** The fields of the protobuf form by number. `*` is an inlined message. */
  readonly numbered: ReadonlyMap<number, FieldType>;
}

type TypeTable = ReadonlyMap<string, MessageType>;

const scalars: ReadonlySet<string> = new Set<Scalar>([
  "string",
  "bool",
  "int32",
  "int64",
  "bytes",
  "time",
  "microtime",
  "quantity",
  "int-or-string",
  "json",
]);

export const isScalar = (type: string): type is Scalar => scalars.has(type);

let table: TypeTable | undefined;

/** All types, parsed when they are first asked for: a process that only reads names pays nothing. */
export function typeTable(): TypeTable {
  table ??= parseTypeTable(
    coreTypes + metaTypes + networkTypes + metricsTypes + servingTypes + gatewayTypes + policyTypes,
  );
  return table;
}

/** The type called `name`. It is a bug to ask for one that is not in the table. */
export function messageType(name: string): MessageType {
  const type = typeTable().get(name);
  assert(type !== undefined, `type ${name} is in the table`);
  return type;
}

/** Parses the notation. A type that is named but not described is a bug. */
function parseTypeTable(text: string): TypeTable {
  const declared = new Map<string, FieldType[]>();
  let current: FieldType[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    if (line.startsWith(" ")) {
      for (const field of line.split(";")) if (field.trim() !== "") current.push(parseField(field.trim()));
      continue;
    }
    current = [];
    assert(!declared.has(line), `type ${line} is declared once`);
    declared.set(line, current);
  }
  return new Map([...declared].map(([name, fields]) => [name, toMessage(name, fields, declared)]));
}

function toMessage(
  name: string,
  fields: readonly FieldType[],
  declared: ReadonlyMap<string, readonly FieldType[]>,
): MessageType {
  const json = new Map<string, FieldType>();
  for (const field of fields) {
    assert(isScalar(field.type) || declared.has(field.type), `${name}.${field.name}: type ${field.type} is declared`);
    if (field.name === "*") for (const inner of declared.get(field.type) ?? []) json.set(inner.name, inner);
    else json.set(field.name, field);
  }
  const numbered = new Map(fields.flatMap((field) => (field.number === undefined ? [] : [[field.number, field]])));
  return { name, fields: json, numbered };
}

function parseField(text: string): FieldType {
  const [name = "", type = "", ...rest] = text.split(" ");
  assert(name !== "" && type !== "", `field "${text}" has a name and a type`);
  const flag = (prefix: string): string | undefined =>
    rest.find((word) => word.startsWith(prefix))?.slice(prefix.length);
  const number = rest.find((word) => /^\d+$/.test(word));
  const mergeKey = flag("merge=");
  return {
    name,
    type: type.replace(/^(\[\]|map:)/, ""),
    shape: type.startsWith("[]") ? "list" : type.startsWith("map:") ? "map" : "one",
    number: number === undefined ? undefined : Number(number),
    required: rest.includes("!"),
    listKeys: flag("keys=")?.split(",") ?? [],
    set: rest.includes("set"),
    merge: mergeKey !== undefined ? { key: mergeKey } : rest.includes("merge") ? { key: undefined } : undefined,
    retainKeys: rest.includes("retain"),
  };
}
