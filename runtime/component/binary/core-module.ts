import { unreachable } from "@shallop/sdk/internal";
import { BinaryError, BinaryReader } from "../leb128.ts";
import type { CoreModule, CoreSort } from "./component.ts";
import type { ParseBudget } from "./section-reader.ts";

export interface CoreImport {
  readonly module: string;
  readonly name: string;
  readonly sort: CoreSort;
}

/** What a core module asks for and gives, by name. */
export interface CoreSurface {
  readonly imports: readonly CoreImport[];
  readonly exports: ReadonlyMap<string, CoreSort>;
}

const preambleBytes = 8;
const importSection = 2;
const exportSection = 7;

const sorts: readonly CoreSort[] = ["core function", "core table", "core memory", "core global", "core tag"];

/**
 * Reads the import and export sections of a core module (core spec 5.5.5 and 5.5.10). The rest is V8's to check.
 * @param component the bytes of which the module is a part, so that errors name the place in them
 * @param budget shared by all modules of the component
 */
export function readCoreSurface(component: Uint8Array, module: CoreModule, budget: ParseBudget): CoreSurface {
  const end = module.offset + module.bytes.length;
  const reader = new BinaryReader(component, module.offset + preambleBytes, end);
  const imports: CoreImport[] = [];
  const exports = new Map<string, CoreSort>();
  while (!reader.atEnd) {
    const id = reader.byte();
    const section = reader.part(reader.u32());
    if (id === importSection) readEach(section, budget, () => imports.push(readCoreImport(section)));
    else if (id === exportSection) readEach(section, budget, () => readExport(section, exports));
  }
  return { imports, exports };
}

function readEach(section: BinaryReader, budget: ParseBudget, readOne: () => void): void {
  const at = section.offset;
  const count = section.u32();
  if (count > section.left) throw new BinaryError("a list has more entries than the binary has bytes", at);
  budget.takeEntries(count, at);
  for (let left = count; left > 0; left--) readOne();
}

function readExport(section: BinaryReader, exports: Map<string, CoreSort>): void {
  const at = section.offset;
  const name = section.name();
  const sort = sorts[section.byte()];
  section.u32();
  if (sort === undefined) throw new BinaryError("a core module has an export of an unknown sort", at);
  if (exports.has(name)) throw new BinaryError("a core module has two exports of the same name", at);
  exports.set(name, sort);
}

export function readCoreImport(reader: BinaryReader): CoreImport {
  const module = reader.name();
  const name = reader.name();
  return { module, name, sort: skipCoreExternType(reader) };
}

/** core:externtype */
export function skipCoreExternType(reader: BinaryReader): CoreSort {
  const at = reader.offset;
  const sort = sorts[reader.byte()];
  switch (sort) {
    case "core function":
      reader.u32();
      break;
    case "core table":
      skipCoreValueType(reader);
      skipLimits(reader);
      break;
    case "core memory":
      skipLimits(reader);
      break;
    case "core global":
      skipCoreValueType(reader);
      reader.byte();
      break;
    case "core tag":
      reader.byte();
      reader.u32();
      break;
    case "core type":
    case "core module":
    case "core instance":
    case undefined:
      throw new BinaryError("a core import has an unknown sort", at);
    default:
      return unreachable(sort);
  }
  return sort;
}

/** One byte, or `ref` / `ref null` (0x64, 0x63) with a heap type behind it. */
export function skipCoreValueType(reader: BinaryReader): void {
  const type = reader.byte();
  if (type === 0x63 || type === 0x64) reader.skipSigned();
}

/** limits: flags (1 = maximum, 8 = page size follows), minimum, maximum, page size. */
function skipLimits(reader: BinaryReader): void {
  const flags = reader.byte();
  reader.u64();
  if ((flags & 1) !== 0) reader.u64();
  if ((flags & 8) !== 0) reader.u32();
}
