import { readExternName } from "./binary/extern-name.ts";
import { BinaryError, BinaryReader } from "./leb128.ts";

/** What a component asks of its host and offers to it: the names of its outermost imports and exports. */
export interface ComponentSurface {
  readonly imports: readonly string[];
  readonly exports: readonly string[];
}

export type BinaryLayer = "component" | "core-module" | "unknown";

const magic = [0x00, 0x61, 0x73, 0x6d];
/** Bytes that `binaryLayer` looks at. */
const preambleBytes = 8;

/** Says what a binary claims to be: version and layer follow the magic number (component-model Binary.md, "Preamble"). */
export function binaryLayer(bytes: Uint8Array): BinaryLayer {
  if (bytes.length < preambleBytes || magic.some((byte, index) => bytes[index] !== byte)) return "unknown";
  if (bytes[6] === 1 && bytes[7] === 0) return "component";
  return bytes[6] === 0 && bytes[7] === 0 && bytes[4] === 1 ? "core-module" : "unknown";
}

const importSection = 10;
const exportSection = 11;

/**
 * Reads the outermost import and export sections (component-model Binary.md, "Import and Export Definitions"); all
 * others are skipped by their length.
 * @throws BinaryError with the offset, when the binary is cut short or malformed
 */
export function readSurface(bytes: Uint8Array): ComponentSurface {
  const imports: string[] = [];
  const exports: string[] = [];
  const reader = new BinaryReader(bytes, preambleBytes);
  while (!reader.atEnd) {
    const id = reader.byte();
    const section = reader.part(reader.u32());
    if (id === importSection) readEach(section, () => imports.push(readImport(section)));
    else if (id === exportSection) readEach(section, () => exports.push(readExport(section)));
  }
  return { imports, exports };
}

function readEach(section: BinaryReader, readOne: () => void): void {
  for (let count = section.u32(); count > 0; count--) readOne();
  if (!section.atEnd) throw new BinaryError("a section is longer than what is in it", section.offset);
}

function readImport(section: BinaryReader): string {
  const name = readExternName(section);
  skipDescription(section);
  return name;
}

function readExport(section: BinaryReader): string {
  const name = readExternName(section);
  skipSort(section);
  section.u32();
  if (section.byte() === 1) skipDescription(section);
  return name;
}

function skipSort(section: BinaryReader): void {
  if (section.byte() === 0x00) section.byte();
}

/** externdesc: 0x00 0x11 core module, 0x01 function, 0x02 value, 0x03 type, 0x04 component, 0x05 instance. */
function skipDescription(section: BinaryReader): void {
  switch (section.byte()) {
    case 0x00:
      section.byte();
      section.u32();
      return;
    case 0x02:
      if (section.byte() === 0x00) section.u32();
      else section.skipSigned();
      return;
    case 0x03:
      if (section.byte() === 0x00) section.u32();
      return;
    case 0x01:
    case 0x04:
    case 0x05:
      section.u32();
      return;
    default:
      throw new BinaryError("an import or export has an unknown sort", section.offset);
  }
}
