import { BinaryError } from "../leb128.ts";
import { readCoreImport, skipCoreExternType, skipCoreValueType } from "./core-module.ts";
import type { SectionReader } from "./section-reader.ts";

/**
 * Reads over a core type of a component (Binary.md, "Type Definitions"; core spec 5.3): nothing of it is needed but how
 * many types it makes.
 */
export function readCoreType(reader: SectionReader): number {
  const at = reader.offset;
  const code = reader.byte();
  // A module type has the code of a non-final subtype, which has 0x00 before it here.
  if (code === 0x50) {
    const inner = reader.nested();
    inner.vector(() => skipModuleDeclaration(inner));
    return 1;
  }
  if (code === 0x00) {
    const subtype = reader.byte();
    if (subtype !== 0x50) throw new BinaryError("a core type has an unknown form", at);
    skipSubtype(reader, subtype, at);
    return 1;
  }
  if (code === 0x4e) return reader.vector(() => skipSubtype(reader, reader.byte(), reader.offset)).length;
  skipSubtype(reader, code, at);
  return 1;
}

function skipSubtype(reader: SectionReader, code: number, at: number): void {
  if (code === 0x50 || code === 0x4f) {
    reader.vector(() => reader.u32());
    skipCompositeType(reader, reader.byte(), at);
  } else {
    skipCompositeType(reader, code, at);
  }
}

function skipCompositeType(reader: SectionReader, code: number, at: number): void {
  switch (code) {
    case 0x60:
      reader.vector(() => skipCoreValueType(reader.bytes));
      reader.vector(() => skipCoreValueType(reader.bytes));
      return;
    case 0x5f:
      reader.vector(() => skipField(reader));
      return;
    case 0x5e:
      skipField(reader);
      return;
    default:
      throw new BinaryError(`there is no core type 0x${code.toString(16)}`, at);
  }
}

/** Storage type and whether it is mutable. */
function skipField(reader: SectionReader): void {
  skipCoreValueType(reader.bytes);
  reader.byte();
}

function skipModuleDeclaration(reader: SectionReader): void {
  const at = reader.offset;
  switch (reader.byte()) {
    case 0x00:
      readCoreImport(reader.bytes);
      return;
    case 0x01: {
      const code = reader.byte();
      skipSubtype(reader, code, at);
      return;
    }
    case 0x02:
      if (reader.byte() !== 0x10 || reader.byte() !== 0x01) {
        throw new BinaryError("a module type has an alias of something that is no type", at);
      }
      reader.u32();
      reader.u32();
      return;
    case 0x03:
      reader.name();
      skipCoreExternType(reader.bytes);
      return;
    default:
      throw new BinaryError("a module type has an unknown declaration", at);
  }
}
