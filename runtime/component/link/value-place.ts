import { unreachable } from "@shallop/sdk/internal";
import { isScalar, type ScalarKind, type ValueType } from "./value-type.ts";

/** What a value takes in a memory of 64 bits (CanonicalABI.md, "Alignment", "Element Size"). */
export interface Place {
  readonly bytes: number;
  readonly alignment: number;
}

const pointerBytes = 8;
const handle: Place = { bytes: 4, alignment: 4 };
const pointerAndLength: Place = { bytes: 2 * pointerBytes, alignment: pointerBytes };

const scalarBytes: Readonly<Record<ScalarKind, number>> = {
  bool: 1,
  s8: 1,
  u8: 1,
  s16: 2,
  u16: 2,
  s32: 4,
  u32: 4,
  s64: 8,
  u64: 8,
  f32: 4,
  f64: 8,
  char: 4,
};

/** `parts`: of the types in it, in their order. */
export function placeOf(type: ValueType, parts: readonly Place[]): Place {
  if (isScalar(type)) return square(scalarBytes[type.kind]);
  switch (type.kind) {
    case "string":
      return pointerAndLength;
    case "list": {
      const [element = handle] = parts;
      return type.length === undefined ? pointerAndLength : { ...element, bytes: element.bytes * type.length };
    }
    case "record":
    case "tuple":
      return oneAfterAnother(parts);
    case "variant":
      return taggedPlace(type.cases.length, parts);
    case "enum":
      return taggedPlace(type.names.length, parts);
    case "option":
    case "result":
      return taggedPlace(2, parts);
    case "flags":
      return square(type.names.length <= 8 ? 1 : type.names.length <= 16 ? 2 : 4);
    case "own":
    case "borrow":
    case "stream":
    case "future":
    case "error-context":
      return handle;
    default:
      return unreachable(type);
  }
}

const square = (bytes: number): Place => ({ bytes, alignment: bytes });

function oneAfterAnother(parts: readonly Place[]): Place {
  let bytes = 0;
  let alignment = 1;
  for (const part of parts) {
    bytes = aligned(bytes, part.alignment) + part.bytes;
    alignment = Math.max(alignment, part.alignment);
  }
  return { bytes: aligned(bytes, alignment), alignment };
}

function taggedPlace(cases: number, payloads: readonly Place[]): Place {
  const tag = square(cases <= 0x100 ? 1 : cases <= 0x1_0000 ? 2 : 4);
  const largest: Place = {
    bytes: payloads.reduce((most, { bytes }) => Math.max(most, bytes), 0),
    alignment: payloads.reduce((most, { alignment }) => Math.max(most, alignment), 1),
  };
  return oneAfterAnother([tag, largest]);
}

const aligned = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment;
