import { binaryLayer } from "../component-binary.ts";
import { BinaryError, BinaryReader, encodeUnsigned } from "../leb128.ts";

/** A section of a core module by its place in the bytes. */
export interface Section {
  readonly id: number;
  /** Where its header begins, its content begins, and it ends. */
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

export const sectionId = { import: 2, table: 4, memory: 5, global: 6, export: 7, start: 8, code: 10 } as const;

const preambleBytes = 8;
const customId = 0;

/** The order in which sections come, by id: the tag section (13) before globals, the data count (12) before code. */
const order: readonly number[] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

/** @throws BinaryError when the bytes are no core module or are cut short */
export function sectionsOf(module: Uint8Array): readonly Section[] {
  if (binaryLayer(module) !== "core-module") throw new BinaryError("is not a core module", 0);
  const reader = new BinaryReader(module, preambleBytes);
  const sections: Section[] = [];
  while (!reader.atEnd) {
    const start = reader.offset;
    const id = reader.byte();
    const length = reader.u32();
    const contentStart = reader.offset;
    reader.take(length);
    sections.push({ id, start, contentStart, end: reader.offset });
  }
  return sections;
}

/** A reader of the content of the module's section; undefined when there is none. */
export function readerOf(module: Uint8Array, sections: readonly Section[], id: number): BinaryReader | undefined {
  const section = sections.find((each) => each.id === id);
  return section === undefined ? undefined : new BinaryReader(module, section.contentStart, section.end);
}

/** What comes to the place of a section. */
export interface NewSection {
  readonly id: number;
  readonly content: Uint8Array;
}

/** Gives the module with a section in place of its old one, or as a new one where such a one comes. */
export type PutSection = (module: Uint8Array, sections: readonly Section[], section: NewSection) => Uint8Array;

/** The bytes of a section, and which bytes of the module they come in place of. */
export function placed(
  module: Uint8Array,
  sections: readonly Section[],
  { id, content }: NewSection,
): { readonly start: number; readonly end: number; readonly bytes: Uint8Array } {
  const bytes = Buffer.concat([Uint8Array.from([id, ...encodeUnsigned(BigInt(content.length))]), content]);
  const old = sections.find((section) => section.id === id);
  const next = sections.find((section) => section.id !== customId && order.indexOf(section.id) > order.indexOf(id));
  const start = old?.start ?? next?.start ?? module.length;
  return { start, end: old?.end ?? start, bytes };
}

/** In a copy. */
export const withSection: PutSection = (module, sections, section) => {
  const { start, end, bytes } = placed(module, sections, section);
  return Buffer.concat([module.subarray(0, start), bytes, module.subarray(end)]);
};

/** The module without its section `id`. */
export function withoutSection(module: Uint8Array, id: number): Uint8Array {
  const section = sectionsOf(module).find((each) => each.id === id);
  if (section === undefined) return module;
  return Buffer.concat([module.subarray(0, section.start), module.subarray(section.end)]);
}
