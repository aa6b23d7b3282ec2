import { BuildFault } from "../fault.ts";
import { binaryOf, Reader, type Section, sectionsOf, signed, signed64, unsigned } from "./wasm-binary.ts";

/**
 * A module's mutable globals are part of its state, as its memory is. To be read from outside they must be exported;
 * to start with what was read, their initial values are rewritten.
 */
const importSection = 2;
const globalSection = 6;
const exportSection = 7;
const globalKind = 0x03;

const exportPrefix = "shallop:global:";

interface Global {
  readonly type: number;
  readonly isMutable: boolean;
  /** Its initial value, as an expression with its end. */
  readonly initial: Uint8Array;
}

/** The module with every mutable global of its own exported under a name of ours. */
export function withExportedGlobals(module: Uint8Array): Uint8Array {
  const { preamble, sections } = sectionsOf(module);
  const imported = importedGlobalCount(sections);
  const entries = globalsOf(sections).flatMap(({ isMutable }, index) =>
    isMutable ? [exportEntry(`${exportPrefix}${index}`, imported + index)] : [],
  );
  return binaryOf(
    preamble,
    sections.map((section) => {
      if (section.id !== exportSection) return section;
      const reader = new Reader(section.content);
      const count = reader.u32();
      const rest = reader.take(section.content.length - reader.offset);
      const head = Uint8Array.from(unsigned(count + entries.length));
      return { id: exportSection, content: Buffer.concat([head, rest, Uint8Array.from(entries.flat())]) };
    }),
  );
}

const exportEntry = (name: string, index: number): number[] => {
  const bytes = new TextEncoder().encode(name);
  return [...unsigned(bytes.length), ...bytes, globalKind, ...unsigned(index)];
};

/** The module with its mutable globals starting at what they are in `exports` of an instance `withExportedGlobals`. */
export function withGlobalsOf(module: Uint8Array, exports: Readonly<Record<string, unknown>>): Uint8Array {
  const { preamble, sections } = sectionsOf(module);
  const globals = globalsOf(sections).map((global, index): number[] => {
    const now = exports[`${exportPrefix}${index}`];
    const isShared = typeof now === "object" && now !== null && "value" in now;
    const initial = isShared ? constant(global.type, now.value) : [...global.initial];
    return [global.type, global.isMutable ? 1 : 0, ...initial];
  });
  const content = Uint8Array.from([...unsigned(globals.length), ...globals.flat()]);
  return binaryOf(
    preamble,
    sections.map((section) => (section.id === globalSection ? { id: globalSection, content } : section)),
  );
}

const i32 = 0x7f;
const i64 = 0x7e;
const end = 0x0b;

function constant(type: number, value: unknown): number[] {
  if (type === i32 && typeof value === "number") return [0x41, ...signed(value | 0), end];
  if (type === i64 && typeof value === "bigint") return [0x42, ...signed64(value), end];
  throw new BuildFault("COMPONENT_INVALID", `the engine has a mutable global of the unknown type ${type}`);
}

function globalsOf(sections: readonly Section[]): readonly Global[] {
  const section = sections.find(({ id }) => id === globalSection);
  if (section === undefined) return [];
  const reader = new Reader(section.content);
  const globals: Global[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    const type = reader.byte();
    const isMutable = reader.byte() === 1;
    const start = reader.offset;
    skipExpression(reader);
    globals.push({ type, isMutable, initial: section.content.subarray(start, reader.offset) });
  }
  return globals;
}

/** Constant expressions of one instruction, which is what compilers emit. */
function skipExpression(reader: Reader): void {
  const instruction = reader.byte();
  if (instruction === 0x41 || instruction === 0x42 || instruction === 0x23 || instruction === 0xd2) skipNumber(reader);
  else if (instruction === 0x43) reader.take(4);
  else if (instruction === 0x44) reader.take(8);
  else if (instruction === 0xd0) reader.byte();
  else throw new BuildFault("COMPONENT_INVALID", `the engine has a global that starts with instruction ${instruction}`);
  if (reader.byte() !== end) throw new BuildFault("COMPONENT_INVALID", "the engine has a global with a long start");
}

function skipNumber(reader: Reader): void {
  while (reader.byte() >= 0x80);
}

function importedGlobalCount(sections: readonly Section[]): number {
  const section = sections.find(({ id }) => id === importSection);
  if (section === undefined) return 0;
  const reader = new Reader(section.content);
  let globals = 0;
  for (let count = reader.u32(); count > 0; count--) {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === globalKind) globals += 1;
    if (kind === 0x00) reader.u32();
    else if (kind === globalKind) reader.take(2);
    else throw new BuildFault("COMPONENT_INVALID", "the engine imports a memory or a table");
  }
  return globals;
}
