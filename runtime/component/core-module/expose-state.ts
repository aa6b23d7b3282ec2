import { type BinaryReader, encodeUnsigned } from "../leb128.ts";
import { CodeScan } from "./code-scan.ts";
import { type MemoryType, readImports, readMemoryType, readValueType, type ValueType } from "./definitions.ts";
import { readerOf, type Section, sectionId, sectionsOf, withoutSection, withSection } from "./sections.ts";

export interface ExposedModule {
  readonly bytes: Uint8Array;
  readonly state: ModuleState;
}

/** What an instance of the module changes while it runs: export names of what the module itself defines. */
export interface ModuleState {
  readonly memories: readonly string[];
  /** The mutable ones. */
  readonly globals: readonly string[];
  readonly tables: readonly string[];
  /**
   * What was the module's start function: it is exported, and whoever instantiates the module calls it then. So it is
   * entered from JavaScript like any other, and can be suspended. Absent when the module has none.
   */
  readonly start?: string;
  /** Whether these are all of its state, so that an instance can be put back to what it was. */
  readonly resettable: boolean;
  /** Why not, for people. */
  readonly reason?: string;
}

// V8 takes 100,000 exports of a module; real ones have a handful of mutable globals, and each costs time at each reset.
const exportsAddedMax = 1000;

const exportKind = { function: 0x00, table: 0x01, memory: 0x02, global: 0x03 } as const;

/**
 * The core module with every memory, every mutable global and every table of its own exported, its start function exported instead
 * of called, and nothing else changed.
 * What it imports is the state of another module or of the host. The module is not validated here: of an invalid one
 * the answer means nothing.
 * @throws BinaryError when the binary is malformed
 */
export function exposeState(module: Uint8Array): ExposedModule {
  const sections = sectionsOf(module);
  const section = (id: number): BinaryReader | undefined => readerOf(module, sections, id);
  const imports = readImports(section(sectionId.import));
  const memories = readMemories(section(sectionId.memory));
  const globals = readGlobals(module, sections);
  const tables = section(sectionId.table)?.u32() ?? 0;
  const reason =
    unreadable([...imports.memories, ...memories], globals) ??
    tooMany(memories.length + globals.mutable.length + tables) ??
    scanCode(module, sections);
  // A hostile count of tables must not become as many names.
  if (memories.length + globals.mutable.length + tables > exportsAddedMax)
    return { bytes: module, state: noState(reason) };

  const present = readExports(module, section(sectionId.export));
  const prefix = unusedPrefix(present.names);
  const added = [
    ...memories.map((_, index) =>
      entry(`${prefix}memory:${index}`, exportKind.memory, imports.memories.length + index),
    ),
    ...globals.mutable.map(({ index }) =>
      entry(`${prefix}global:${index}`, exportKind.global, imports.globals + index),
    ),
    ...Array.from({ length: tables }, (_, index) =>
      entry(`${prefix}table:${index}`, exportKind.table, imports.tables + index),
    ),
  ];
  const start = section(sectionId.start)?.u32();
  if (start !== undefined) added.push(entry(`${prefix}start`, exportKind.function, start));
  const names = (kind: number): string[] => added.filter((each) => each.kind === kind).map(({ name }) => name);
  const state = {
    memories: names(exportKind.memory),
    globals: names(exportKind.global),
    tables: names(exportKind.table),
    ...(start === undefined ? {} : { start: `${prefix}start` }),
    resettable: reason === undefined,
    ...(reason === undefined ? {} : { reason }),
  };
  if (added.length === 0) return { bytes: module, state };
  const content = Buffer.concat([
    Uint8Array.from(encodeUnsigned(BigInt(present.names.length + added.length))),
    present.entries,
    ...added.map(({ bytes }) => bytes),
  ]);
  const exposed = withSection(module, sections, { id: sectionId.export, content });
  return { bytes: start === undefined ? exposed : withoutSection(exposed, sectionId.start), state };
}

const noState = (reason: string | undefined): ModuleState => ({
  memories: [],
  globals: [],
  tables: [],
  resettable: false,
  ...(reason === undefined ? {} : { reason }),
});

interface Entry {
  readonly name: string;
  readonly kind: number;
  readonly bytes: Uint8Array;
}

function entry(name: string, kind: number, index: number): Entry {
  const text = Buffer.from(name);
  const bytes = [...encodeUnsigned(BigInt(text.length)), ...text, kind, ...encodeUnsigned(BigInt(index))];
  return { name, kind, bytes: Uint8Array.from(bytes) };
}

interface Exports {
  readonly names: readonly string[];
  /** All entries as they are, without their count. */
  readonly entries: Uint8Array;
}

function readExports(module: Uint8Array, section: BinaryReader | undefined): Exports {
  if (section === undefined) return { names: [], entries: new Uint8Array() };
  const names: string[] = [];
  const count = section.u32();
  const entriesStart = section.offset;
  for (let index = 0; index < count; index++) {
    names.push(section.name());
    section.byte();
    section.u32();
  }
  return { names, entries: module.subarray(entriesStart, section.offset) };
}

/** `shallop:`, or `shallop1:` and so on: one that no name of the module begins with. */
function unusedPrefix(names: readonly string[]): string {
  const heads = new Set(names.map((name) => name.split(":", 1)[0]));
  let head = "shallop";
  for (let number = 1; heads.has(head); number++) head = `shallop${number}`;
  return `${head}:`;
}

function readMemories(section: BinaryReader | undefined): readonly MemoryType[] {
  const memories: MemoryType[] = [];
  if (section === undefined) return memories;
  for (let count = section.u32(); count > 0; count--) {
    memories.push(readMemoryType(section));
  }
  return memories;
}

interface Global {
  /** Among those that the module defines. */
  readonly index: number;
  readonly type: ValueType;
}

interface Globals {
  readonly mutable: readonly Global[];
  readonly reason?: string;
}

function readGlobals(module: Uint8Array, sections: readonly Section[]): Globals {
  const section = readerOf(module, sections, sectionId.global);
  if (section === undefined) return { mutable: [] };
  const mutable: Global[] = [];
  const count = section.u32();
  for (let index = 0; index < count; index++) {
    const type = readValueType(section);
    const mutability = section.byte();
    if (mutability > 1) return { mutable, reason: "it has a global of a kind that is not known here" };
    if (mutability === 1) mutable.push({ index, type });
    const initial = new CodeScan(module, section.offset, section.offset + section.left);
    const reason = initial.expression();
    if (reason !== undefined) return { mutable, reason };
    section.take(initial.offset - section.offset);
  }
  return { mutable };
}

const vectorType = 0x7b;
/** exnref, nullexnref, and their heap types: the JavaScript API refuses to read such a global. */
const exceptionTypes: readonly (number | undefined)[] = [0x69, 0x74];

/** Why what the module keeps cannot be read or written through the JavaScript API. */
function unreadable(memories: readonly MemoryType[], globals: Globals): string | undefined {
  if (memories.some(({ isShared }) => isShared)) return "it has a shared memory";
  if (globals.reason !== undefined) return globals.reason;
  for (const { type } of globals.mutable) {
    if (type.code === vectorType) return "it has a mutable global of type v128, which JavaScript cannot read";
    if (exceptionTypes.includes(type.code) || exceptionTypes.includes(type.heapType)) {
      return "it has a mutable global that holds an exception, which JavaScript cannot read";
    }
  }
  return undefined;
}

const tooMany = (count: number): string | undefined =>
  count > exportsAddedMax
    ? `it has ${count} memories, mutable globals and tables, more than ${exportsAddedMax}`
    : undefined;

function scanCode(module: Uint8Array, sections: readonly Section[]): string | undefined {
  const section = sections.find(({ id }) => id === sectionId.code);
  return section === undefined ? undefined : new CodeScan(module, section.contentStart, section.end).functions();
}
