import { BinaryError, BinaryReader, UnlinkedError } from "../leb128.ts";
import type { CoreModule, Definition, DefinitionBody, ParsedComponent } from "./component.ts";
import { readCoreType } from "./core-type.ts";
import { readCanon } from "./parse-canon.ts";
import { readAlias, readCoreInstance, readInstance } from "./parse-instances.ts";
import { readDescription, readSortIndex, valuesRefused } from "./parse-sorts.ts";
import { readType } from "./parse-types.ts";
import { ParseBudget, SectionReader } from "./section-reader.ts";

const componentPreamble = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const modulePreamble = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/**
 * Reads a component (component-model Binary.md). Core modules are not looked into, and are not copied.
 * @throws BinaryError with the offset, when it is cut short or malformed, or has what is not supported
 */
export function parseComponent(component: Uint8Array): ParsedComponent {
  const modules: CoreModule[] = [];
  const reader = new SectionReader(new BinaryReader(component), new ParseBudget());
  return { definitions: readDefinitions(reader, modules), modules };
}

function readDefinitions(reader: SectionReader, modules: CoreModule[]): Definition[] {
  expectPreamble(reader);
  const definitions: Definition[] = [];
  while (!reader.bytes.atEnd) {
    const at = reader.offset;
    const id = reader.byte();
    reader.countOne();
    const section = reader.part(reader.u32());
    readSection(section, { id, at, definitions, modules });
  }
  return definitions;
}

interface SectionPlace {
  readonly id: number;
  readonly at: number;
  readonly definitions: Definition[];
  readonly modules: CoreModule[];
}

function readSection(section: SectionReader, { id, at, definitions, modules }: SectionPlace): void {
  const start = section.offset;
  if (id === 0) return;
  if (id === 1) {
    const module = readModule(section, modules.length);
    modules.push(module);
    definitions.push({ kind: "core module", module, offset: start, bytes: 0 });
    return;
  }
  if (id === 4) {
    definitions.push({
      kind: "component",
      definitions: readDefinitions(section.nested(), modules),
      offset: start,
      bytes: 0,
    });
    return;
  }
  if (id === 9) throw new UnlinkedError("the component has a start function, which is not supported", at);
  if (id === 12) throw valuesRefused(at);
  const read = entryReaders.get(id);
  if (read === undefined) throw new BinaryError(`there is no section ${id}`, at);
  section.vector(() => {
    const offset = section.offset;
    const body = read(section);
    definitions.push({ ...body, offset, bytes: section.offset - offset });
  });
  if (!section.bytes.atEnd) throw new BinaryError("a section is longer than what is in it", section.offset);
}

/** Sections that are a list, by their id. */
const entryReaders: ReadonlyMap<number, (reader: SectionReader) => DefinitionBody> = new Map([
  [2, (reader) => ({ kind: "core instance", expression: readCoreInstance(reader) })],
  [3, (reader) => ({ kind: "core type", count: readCoreType(reader) })],
  [5, (reader) => ({ kind: "instance", expression: readInstance(reader) })],
  [6, (reader) => ({ kind: "alias", alias: readAlias(reader) })],
  [7, (reader) => ({ kind: "type", type: readType(reader) })],
  [8, (reader) => ({ kind: "canon", canon: readCanon(reader) })],
  [10, (reader) => ({ kind: "import", name: reader.externName(), description: readDescription(reader) })],
  [11, readExport],
] as readonly (readonly [number, (reader: SectionReader) => DefinitionBody])[]);

function readExport(reader: SectionReader): DefinitionBody {
  const name = reader.externName();
  const target = readSortIndex(reader);
  const description = reader.optional(() => readDescription(reader));
  return { kind: "export", name, target, ...(description === undefined ? {} : { description }) };
}

function readModule(section: SectionReader, index: number): CoreModule {
  const offset = section.offset;
  const bytes = section.bytes.take(section.bytes.left);
  if (bytes.length < modulePreamble.length || modulePreamble.some((byte, at) => bytes[at] !== byte)) {
    throw new BinaryError("this is not the beginning of a core module", offset);
  }
  return { index, bytes, offset };
}

function expectPreamble(reader: SectionReader): void {
  const at = reader.offset;
  const isRight =
    reader.bytes.left >= componentPreamble.length && componentPreamble.every((byte) => reader.byte() === byte);
  if (!isRight) throw new BinaryError("this is not the beginning of a component", at);
}
