import { unreachable } from "@shallop/sdk/internal";
import type { ScalarKind } from "../link/value-type.ts";
import { type Callee, type FunctionCode, instructions as is } from "./function-code.ts";

/** Instructions that read and write a value in memory. */
interface Accesses {
  readonly load: number;
  readonly store: number;
}

const byte: Accesses = { load: 0x2d, store: 0x3a };
const short: Accesses = { load: 0x2f, store: 0x3b };
const word: Accesses = { load: 0x28, store: 0x36 };
const long: Accesses = { load: 0x29, store: 0x37 };

export const accesses: Readonly<Record<ScalarKind, Accesses>> = {
  bool: byte,
  u8: byte,
  s8: byte,
  u16: short,
  s16: short,
  u32: word,
  s32: word,
  char: word,
  u64: long,
  s64: long,
  f32: { load: 0x2a, store: 0x38 },
  f64: { load: 0x2b, store: 0x39 },
};

/** Of a whole number of as many bytes: 1, 2 or 4. */
export const unsigned = (size: number): Accesses => (size === 1 ? byte : size === 2 ? short : word);

/**
 * What of the core value on the stack its type does not need is cut off, and what it must not be is refused
 * (CanonicalABI.md, "Lifting"). `badChar` refuses a character, and is asked for only where there can be one.
 */
export function checkScalar(code: FunctionCode, kind: ScalarKind, badChar: () => Callee): void {
  switch (kind) {
    case "bool":
      return code.op(is.i32Eqz, is.i32Eqz);
    case "s8":
      return code.op(is.i32Extend8S);
    case "s16":
      return code.op(is.i32Extend16S);
    case "u8":
    case "u16":
      code.i32(kind === "u8" ? 0xff : 0xffff);
      return code.op(is.i32And);
    case "f32":
      return canonicalNan(code, "f32", [is.f32Const, 0x00, 0x00, 0xc0, 0x7f], is.f32Eq);
    case "f64":
      return canonicalNan(code, "f64", [is.f64Const, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f], is.f64Eq);
    case "char":
      return checkChar(code, badChar);
    case "s32":
    case "u32":
    case "s64":
    case "u64":
      return;
    default:
      return unreachable(kind);
  }
}

/** No surrogate, and nothing beyond Unicode: `((code ^ 0xd800) - 0x800)` is then below 0x10f800, as it is for nothing else. */
function checkChar(code: FunctionCode, badChar: () => Callee): void {
  const value = code.scratch("i32");
  code.tee(value);
  code.get(value);
  code.i32(0xd800);
  code.op(is.i32Xor);
  code.i32(0x800);
  code.op(is.i32Sub);
  code.i32(0x10f800);
  code.op(is.i32GeU, is.if, is.noResult);
  code.get(value);
  code.call(badChar());
  code.op(is.unreachable, is.end);
}

function canonicalNan(code: FunctionCode, type: "f32" | "f64", nan: readonly number[], equal: number): void {
  const value = code.scratch(type);
  code.tee(value);
  code.op(...nan);
  code.get(value);
  code.get(value);
  code.op(equal, is.select);
}
