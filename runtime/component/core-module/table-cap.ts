import { BinaryError, type BinaryReader, encodeUnsigned } from "../leb128.ts";
import { CapError } from "./cap-error.ts";
import { CodeScan } from "./code-scan.ts";
import { readValueType } from "./definitions.ts";
import { type PutSection, readerOf, sectionId, sectionsOf, withSection } from "./sections.ts";

/** A table as it is defined: its limits, and where they are in the module. */
interface Table {
  readonly limitsStart: number;
  readonly limitsEnd: number;
  readonly is64: boolean;
  readonly minimum: bigint;
  readonly maximum: bigint | undefined;
}

/**
 * The core module with the maximum of each table that it defines lowered so that all of them together have no more than
 * `entriesMax` entries: `table.grow` beyond it answers -1. What is left of the cap is shared by the tables alike.
 * @throws CapError when the tables are larger than the cap from the beginning
 * @throws BinaryError when the module is malformed
 */
export function capTables(module: Uint8Array, entriesMax: number, put: PutSection = withSection): Uint8Array {
  const sections = sectionsOf(module);
  const section = sections.find(({ id }) => id === sectionId.table);
  const reader = readerOf(module, sections, sectionId.table);
  if (section === undefined || reader === undefined) return module;
  const tables = readTables(module, reader);
  const atStart = tables.reduce((sum, { minimum }) => sum + minimum, 0n);
  if (atStart > BigInt(entriesMax)) {
    throw new CapError(
      "tables",
      `the component needs ${atStart} table entries to start, and its limit is ${entriesMax}`,
    );
  }
  const share = tables.length === 0 ? 0n : (BigInt(entriesMax) - atStart) / BigInt(tables.length);
  const isLow = ({ minimum, maximum }: Table): boolean => maximum !== undefined && maximum <= minimum + share;
  if (tables.every(isLow)) return module;
  const parts: Uint8Array[] = [];
  let copied = section.contentStart;
  for (const table of tables) {
    if (isLow(table)) continue;
    const { limitsStart, limitsEnd, is64, minimum } = table;
    const limits = [is64 ? 5 : 1, ...encodeUnsigned(minimum), ...encodeUnsigned(minimum + share)];
    parts.push(module.subarray(copied, limitsStart), Uint8Array.from(limits));
    copied = limitsEnd;
  }
  parts.push(module.subarray(copied, section.end));
  return put(module, sections, { id: sectionId.table, content: Buffer.concat(parts) });
}

// A table whose entries have an initial value begins so (core spec 5.5.7, "Table Section").
const withInitialValue = 0x40;

function readTables(module: Uint8Array, section: BinaryReader): readonly Table[] {
  const tables: Table[] = [];
  for (let count = section.u32(); count > 0; count--) {
    const isInitialised = module[section.offset] === withInitialValue;
    if (isInitialised) section.take(2);
    readValueType(section);
    const limitsStart = section.offset;
    const flags = section.byte();
    if ((flags & ~5) !== 0) throw new BinaryError("the module has a table of an unknown kind", limitsStart);
    const minimum = section.u64();
    const maximum = (flags & 1) === 0 ? undefined : section.u64();
    tables.push({ limitsStart, limitsEnd: section.offset, is64: (flags & 4) !== 0, minimum, maximum });
    if (isInitialised) skipExpression(module, section);
  }
  return tables;
}

function skipExpression(module: Uint8Array, section: BinaryReader): void {
  const scan = new CodeScan(module, section.offset, section.offset + section.left);
  const unknown = scan.expression();
  if (unknown !== undefined) throw new BinaryError(`a table's initial value cannot be read: ${unknown}`, scan.offset);
  section.take(scan.offset - section.offset);
}
