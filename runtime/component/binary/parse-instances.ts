import { BinaryError } from "../leb128.ts";
import type { Alias, CoreInstanceExpression, InstanceExpression, Sort } from "./component.ts";
import { readArgument, readCoreSortIndex, readInlineExport, readSort } from "./parse-sorts.ts";
import type { SectionReader } from "./section-reader.ts";

/** core:instance (Binary.md, "Instance Definitions"). */
export function readCoreInstance(reader: SectionReader): CoreInstanceExpression {
  const at = reader.offset;
  switch (reader.byte()) {
    case 0x00:
      return { form: "instantiate", module: reader.u32(), arguments: reader.vector(() => readCoreArgument(reader)) };
    case 0x01: {
      const exports = reader.vector(() => ({ name: reader.name(), target: readCoreSortIndex(reader) }));
      return { form: "exports", exports };
    }
    default:
      throw new BinaryError("a core instance has an unknown form", at);
  }
}

function readCoreArgument(reader: SectionReader): { readonly name: string; readonly instance: number } {
  const name = reader.name();
  const at = reader.offset;
  if (reader.byte() !== 0x12) throw new BinaryError("a core module is given something that is no instance", at);
  return { name, instance: reader.u32() };
}

export function readInstance(reader: SectionReader): InstanceExpression {
  const at = reader.offset;
  switch (reader.byte()) {
    case 0x00:
      return { form: "instantiate", component: reader.u32(), arguments: reader.vector(() => readArgument(reader)) };
    case 0x01:
      return { form: "exports", exports: reader.vector(() => readInlineExport(reader)) };
    default:
      throw new BinaryError("an instance has an unknown form", at);
  }
}

/** outeraliassort */
const outerSorts: ReadonlySet<Sort> = new Set<Sort>(["core module", "core type", "type", "component"]);

/** alias (Binary.md, "Alias Definitions"). */
export function readAlias(reader: SectionReader): Alias {
  const at = reader.offset;
  const sort = readSort(reader);
  switch (reader.byte()) {
    case 0x00:
      return { sort, form: "export", instance: reader.u32(), name: reader.name() };
    case 0x01:
      return { sort, form: "core export", instance: reader.u32(), name: reader.name() };
    case 0x02:
      if (!outerSorts.has(sort)) throw new BinaryError(`a ${sort} of an outer component is used`, at);
      return { sort, form: "outer", count: reader.u32(), index: reader.u32() };
    default:
      throw new BinaryError("an alias has an unknown form", at);
  }
}
