import { BinaryError, type BinaryReader } from "../leb128.ts";

/** What modules import and define, as the binary says it (core spec 5.3 and 5.5). */
export interface MemoryType {
  readonly is64: boolean;
  readonly isShared: boolean;
  readonly minimum: bigint;
  readonly maximum: bigint | undefined;
}

/** Limits: flags (1 = maximum, 2 = shared, 4 = 64-bit addresses; 8 would be a page size), minimum, maximum. */
export function readMemoryType(reader: BinaryReader): MemoryType {
  const at = reader.offset;
  const flags = reader.byte();
  if (flags > 7) throw new BinaryError("the module has a memory of an unknown kind", at);
  return {
    is64: (flags & 4) !== 0,
    isShared: (flags & 2) !== 0,
    minimum: reader.u64(),
    maximum: (flags & 1) === 0 ? undefined : reader.u64(),
  };
}

export interface ValueType {
  /** The first byte, which says all but the heap type. */
  readonly code: number;
  /** The first byte of the heap type where one follows. */
  readonly heapType?: number;
}

/** A value or reference type: one byte, or `ref null` (0x63), `ref` (0x64) with a heap type behind it. */
export function readValueType(reader: BinaryReader): ValueType {
  const code = reader.byte();
  if (code !== 0x63 && code !== 0x64) return { code };
  const heapType = reader.byte();
  if (heapType >= 0x80) reader.skipSigned();
  return { code, heapType };
}

function skipTableType(reader: BinaryReader): void {
  readValueType(reader);
  const flags = reader.byte();
  reader.u64();
  if ((flags & 1) !== 0) reader.u64();
}

export interface Imports {
  readonly tables: number;
  readonly memories: readonly MemoryType[];
  readonly globals: number;
}

/** What the import section adds to the index spaces of tables, memories and globals. */
export function readImports(section: BinaryReader | undefined): Imports {
  const memories: MemoryType[] = [];
  let tables = 0;
  let globals = 0;
  if (section === undefined) return { tables, memories, globals };
  for (let count = section.u32(); count > 0; count--) {
    section.name();
    section.name();
    switch (section.byte()) {
      case 0x00:
        section.u32();
        break;
      case 0x01:
        skipTableType(section);
        tables += 1;
        break;
      case 0x02:
        memories.push(readMemoryType(section));
        break;
      case 0x03:
        readValueType(section);
        section.byte();
        globals += 1;
        break;
      case 0x04:
        section.byte();
        section.u32();
        break;
      default:
        throw new BinaryError("an import has an unknown kind", section.offset);
    }
  }
  return { tables, memories, globals };
}
