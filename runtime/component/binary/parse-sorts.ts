import { BinaryError, UnlinkedError } from "../leb128.ts";
import type { CoreSort, Description, NamedSortIndex, Sort, SortIndex } from "./component.ts";
import type { SectionReader } from "./section-reader.ts";

const coreSorts: ReadonlyMap<number, CoreSort> = new Map([
  [0x00, "core function"],
  [0x01, "core table"],
  [0x02, "core memory"],
  [0x03, "core global"],
  [0x04, "core tag"],
  [0x10, "core type"],
  [0x11, "core module"],
  [0x12, "core instance"],
]);
const sorts: ReadonlyMap<number, Sort> = new Map<number, Sort>([
  [0x01, "function"],
  [0x03, "type"],
  [0x04, "component"],
  [0x05, "instance"],
]);

function readCoreSort(reader: SectionReader): CoreSort {
  const at = reader.offset;
  const code = reader.byte();
  const sort = coreSorts.get(code);
  if (sort === undefined) throw new BinaryError(`there is no core sort 0x${code.toString(16)}`, at);
  return sort;
}

export function readSort(reader: SectionReader): Sort {
  const at = reader.offset;
  const code = reader.byte();
  if (code === 0x00) return readCoreSort(reader);
  if (code === 0x02) throw valuesRefused(at);
  const sort = sorts.get(code);
  if (sort === undefined) throw new BinaryError(`there is no sort 0x${code.toString(16)}`, at);
  return sort;
}

export function readSortIndex(reader: SectionReader): SortIndex {
  return { sort: readSort(reader), index: reader.u32() };
}

export function readCoreSortIndex(reader: SectionReader): SortIndex {
  return { sort: readCoreSort(reader), index: reader.u32() };
}

export function readArgument(reader: SectionReader): NamedSortIndex {
  return { name: reader.name(), target: readSortIndex(reader) };
}

export function readInlineExport(reader: SectionReader): NamedSortIndex {
  return { name: reader.externName(), target: readSortIndex(reader) };
}

/** externtype */
export function readDescription(reader: SectionReader): Description {
  const at = reader.offset;
  const code = reader.byte();
  switch (code) {
    case 0x00:
      if (reader.byte() !== 0x11) throw new BinaryError("of core definitions only a module has a type here", at);
      return { sort: "core module", type: reader.u32() };
    case 0x01:
      return { sort: "function", type: reader.u32() };
    case 0x02:
      throw valuesRefused(at);
    case 0x03:
      return { sort: "type", bound: readBound(reader) };
    case 0x04:
      return { sort: "component", type: reader.u32() };
    case 0x05:
      return { sort: "instance", type: reader.u32() };
    default:
      throw new BinaryError(`an import or export has the unknown sort 0x${code.toString(16)}`, at);
  }
}

function readBound(reader: SectionReader): { readonly form: "eq"; readonly type: number } | { readonly form: "sub" } {
  const at = reader.offset;
  const code = reader.byte();
  if (code > 1) throw new BinaryError(`a type has the unknown bound 0x${code.toString(16)}`, at);
  return code === 0 ? { form: "eq", type: reader.u32() } : { form: "sub" };
}

/** Values as definitions were an early idea of the Component Model; no tool makes them. */
export const valuesRefused = (offset: number): BinaryError =>
  new UnlinkedError("the component has a value definition, which is not supported", offset);
