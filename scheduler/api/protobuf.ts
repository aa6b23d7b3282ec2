import {
  apiVersionOf,
  type FieldType,
  isJsonObject,
  isScalar,
  type Json,
  type JsonObject,
  kinds,
  messageType,
  type Scalar,
} from "@shallop/sdk/api";
import { badRequest } from "./faults.ts";
import { checkDepth } from "./json-body.ts";

/**
 * `application/vnd.kubernetes.protobuf`, as typed clients since Kubernetes 1.32 send it: `k8s\0`, then runtime.Unknown
 * around the object. Decoded to the JSON form by the field numbers of the type table. k8s.io/apimachinery
 * pkg/runtime/serializer/protobuf.
 */

// What walks over types recurses with the message; the deepest type has some twenty levels.
const depthMax = 100;
/** Fields of numbers and booleans that are pointers in Go: zero and false mean something else than absent. */
const pointers: ReadonlySet<string> = new Set([
  "activeDeadlineSeconds",
  "allowPrivilegeEscalation",
  "automountServiceAccountToken",
  "blockOwnerDeletion",
  "controller",
  "defaultMode",
  "deletionGracePeriodSeconds",
  "enableServiceLinks",
  "expirationSeconds",
  "fsGroup",
  "gracePeriodSeconds",
  "hostUsers",
  "mode",
  "optional",
  "orphanDependents",
  "priority",
  "privileged",
  "readOnlyRootFilesystem",
  "runAsGroup",
  "runAsNonRoot",
  "runAsUser",
  "setHostnameAsFQDN",
  "shareProcessNamespace",
  "started",
  "terminationGracePeriodSeconds",
  "tolerationSeconds",
]);
const magic = "k8s\0";
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws ApiFault BadRequest */
export function decodeProtobuf(body: Uint8Array): JsonObject {
  if (Buffer.from(body.subarray(0, 4)).toString("latin1") !== magic) {
    throw badRequest("the body is not in Kubernetes' protobuf format: it does not begin with k8s\\0");
  }
  const unknown = fieldsOf(body.subarray(4));
  const typeMeta = fieldsOf(lastBytes(unknown, 1));
  const apiVersion = text(lastBytes(typeMeta, 1));
  const kind = text(lastBytes(typeMeta, 2));
  const type = typeOf(apiVersion, kind);
  const object = decodeMessage(type, lastBytes(unknown, 2), 0);
  return { ...object, apiVersion, kind };
}

function typeOf(apiVersion: string, kind: string): string {
  if (kind === "DeleteOptions") return kind;
  const found = kinds.find((one) => one.resource.kind === kind && apiVersionOf(one.resource) === apiVersion);
  if (found === undefined || !found.builtin)
    throw badRequest(`no kind "${kind}" is registered for "${apiVersion}" in protobuf`);
  return found.type;
}

type WireValue =
  | { readonly wire: "varint"; readonly value: bigint }
  | { readonly wire: "bytes"; readonly value: Uint8Array };
type WireFields = ReadonlyMap<number, readonly WireValue[]>;

/** The fields of a message by number, in order. Fixed-width fields, which no type here has, are passed over. */
function fieldsOf(bytes: Uint8Array): WireFields {
  const fields = new Map<number, WireValue[]>();
  const add = (number: number, value: WireValue): void => {
    const list = fields.get(number);
    if (list === undefined) fields.set(number, [value]);
    else list.push(value);
  };
  const reader = new Reader(bytes);
  while (!reader.done) {
    const key = reader.varint();
    const number = Number(key >> 3n);
    switch (Number(key & 7n)) {
      case 0:
        add(number, { wire: "varint", value: reader.varint() });
        break;
      case 1:
        reader.take(8);
        break;
      case 2:
        add(number, { wire: "bytes", value: reader.take(Number(reader.varint())) });
        break;
      case 5:
        reader.take(4);
        break;
      default:
        throw broken();
    }
  }
  return fields;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    // 64 bits are at most ten bytes.
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw broken();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw broken();
  }

  take(byteCount: number): Uint8Array {
    if (byteCount > this.#bytes.length - this.#at) throw broken();
    const taken = this.#bytes.subarray(this.#at, this.#at + byteCount);
    this.#at += byteCount;
    return taken;
  }
}

const broken = (): Error => badRequest("the protobuf body is broken");

const text = (bytes: Uint8Array): string => {
  try {
    return utf8.decode(bytes);
  } catch {
    throw broken();
  }
};

const noBytes = new Uint8Array();

function lastBytes(fields: WireFields, number: number): Uint8Array {
  const last = fields.get(number)?.at(-1);
  return last?.wire === "bytes" ? last.value : noBytes;
}

function decodeMessage(type: string, bytes: Uint8Array, depth: number): JsonObject {
  if (depth > depthMax) throw badRequest(`the body is nested deeper than ${depthMax} levels`);
  const { numbered } = messageType(type);
  const result = new Map<string, Json>();
  for (const [number, values] of fieldsOf(bytes)) {
    const field = numbered.get(number);
    const last = values.at(-1);
    // A field of a newer client; JSON would have dropped it too.
    if (field === undefined || last === undefined) continue;
    if (field.name === "*") {
      const inner = decodeMessage(field.type, bytesOf(last), depth + 1);
      for (const [name, value] of Object.entries(inner)) if (value !== undefined) result.set(name, value);
      continue;
    }
    const value = decodeField(field, values, last, depth);
    if (value !== undefined) result.set(field.name, value);
  }
  return Object.fromEntries(result);
}

function decodeField(field: FieldType, values: readonly WireValue[], last: WireValue, depth: number): Json | undefined {
  if (field.shape === "list") return values.flatMap((value) => decodeItems(field, value, depth));
  if (field.shape === "map") return decodeMap(field, values, depth);
  const value = decodeOne(field.type, last, depth);
  // Go writes zero values of plain fields, which JSON leaves out (`omitempty`); a pointer that is written was set.
  const isZero = value === "" || value === 0 || value === false || value === null;
  return isZero && !field.required && !pointers.has(field.name) ? undefined : (value ?? undefined);
}

function decodeItems(field: FieldType, value: WireValue, depth: number): Json[] {
  const packed = value.wire === "bytes" && (field.type === "int32" || field.type === "int64");
  if (!packed) return [decodeOne(field.type, value, depth) ?? null];
  const reader = new Reader(value.value);
  const items: Json[] = [];
  while (!reader.done) items.push(integer(reader.varint()));
  return items;
}

function decodeMap(field: FieldType, values: readonly WireValue[], depth: number): JsonObject {
  const entries = values.map((value): readonly [string, Json] => {
    const entry = fieldsOf(bytesOf(value));
    const member = entry.get(2)?.at(-1) ?? { wire: "bytes", value: noBytes };
    return [text(lastBytes(entry, 1)), decodeOne(field.type, member, depth) ?? null];
  });
  return Object.fromEntries(entries);
}

const bytesOf = (value: WireValue): Uint8Array => {
  if (value.wire !== "bytes") throw broken();
  return value.value;
};

function decodeOne(type: string, value: WireValue, depth: number): Json | undefined {
  return isScalar(type) ? decodeScalar(type, value) : decodeMessage(type, bytesOf(value), depth + 1);
}

function decodeScalar(type: Scalar, value: WireValue): Json | undefined {
  switch (type) {
    case "string":
      return text(bytesOf(value));
    case "bool":
      return value.wire === "varint" && value.value !== 0n;
    case "int32":
    case "int64":
      if (value.wire !== "varint") throw broken();
      return integer(value.value);
    case "bytes":
      return Buffer.from(bytesOf(value)).toString("base64");
    case "quantity":
      return text(lastBytes(fieldsOf(bytesOf(value)), 1));
    case "int-or-string":
      return intOrString(fieldsOf(bytesOf(value)));
    case "time":
      return time(fieldsOf(bytesOf(value)), false);
    case "microtime":
      return time(fieldsOf(bytesOf(value)), true);
    case "json":
      return embeddedJson(lastBytes(fieldsOf(bytesOf(value)), 1));
    default:
      return type satisfies never;
  }
}

/** Negative numbers are written as 64-bit two's complement, int32 too. */
const integer = (value: bigint): number => Number(BigInt.asIntN(64, value));

const numberField = (fields: WireFields, number: number): number => {
  const last = fields.get(number)?.at(-1);
  return last?.wire === "varint" ? integer(last.value) : 0;
};

const intOrString = (fields: WireFields): Json =>
  numberField(fields, 1) === 0 ? numberField(fields, 2) : text(lastBytes(fields, 3));

/** Seconds and nanoseconds; both zero is Go's zero time, which JSON leaves out. */
function time(fields: WireFields, micro: boolean): string | undefined {
  const seconds = numberField(fields, 1);
  const nanos = numberField(fields, 2);
  if (seconds === 0 && nanos === 0) return undefined;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw broken();
  const whole = date.toISOString().slice(0, 19);
  return micro ? `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z` : `${whole}Z`;
}

function embeddedJson(bytes: Uint8Array): Json {
  try {
    const value = JSON.parse(text(bytes)) as Json;
    checkDepth(value);
    return isJsonObject(value) ? value : null;
  } catch {
    throw broken();
  }
}
