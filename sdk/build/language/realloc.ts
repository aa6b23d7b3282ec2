import { parse } from "@bytecodealliance/jco";
import { assert } from "../../internal/assert.ts";
import { BuildFault } from "../fault.ts";
import { binaryOf, Reader, type Section, sectionsOf, unsigned } from "../engine/wasm-binary.ts";

// Section ids: https://webassembly.github.io/spec/core/binary/modules.html#sections
const typeSection = 1;
const importSection = 2;
const functionSection = 3;
const exportSection = 7;
const codeSection = 10;

const dataSection = 11;

const functionKind = 0x00;
const i32Const = 0x41;
const end = 0x0b;

/** How the guest marks the words and the room that it leaves to us: `wasi.go`. */
const mark = "shallop: room for the canonical ABI";

/** Of what follows the mark: one page of state and one of stack, as in `wasi.go`. */
const adapterBytes = 2 * 65536;

/**
 * What the host calls to have a list put into a guest's memory. Go's own functions cannot do it: its scheduler reads the
 * clock as it pleases, and a guest may call nothing while the host writes its memory. Nor may they grow the memory, because
 * Go takes what grows for its own.
 *
 * Behind the mark the guest has three words: where the next bytes of lists go, where they end, and how much of the room that
 * follows is kept, for good, by the adapter of preview 1. What does not fit ends the guest. The functions name nothing by
 * number but memory 0, and so fit any module.
 */
function functionsText(marked: number): string {
  const next = marked + Math.ceil((mark.length + 1) / 4) * 4;
  const kept = next + 8;
  const room = kept + 4;
  const type = "(param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32) (local $at i32)";
  const take = (from: string, end: string, then: string): string => `
    (local.set $at (i32.and
      (i32.sub (i32.add ${from} (local.get $align)) (i32.const 1))
      (i32.sub (i32.const 0) (local.get $align))))
    (if
      (i64.gt_u
        (i64.add (i64.extend_i32_u (local.get $at)) (i64.extend_i32_u (local.get $size)))
        (i64.extend_i32_u ${end}))
      (then unreachable))
    ${then}
    (memory.copy (local.get $at) (local.get $old) (local.get $had))
    (local.get $at)`;
  const used = "(i32.add (local.get $at) (local.get $size))";
  return `(module (memory 1)
    (func ${type} ${take(
      `(i32.load (i32.const ${next}))`,
      `(i32.load (i32.const ${next + 4}))`,
      `(i32.store (i32.const ${next}) ${used})`,
    )})
    (func ${type} ${take(
      `(i32.add (i32.const ${room}) (i32.load (i32.const ${kept})))`,
      `(i32.const ${room + adapterBytes})`,
      `(i32.store (i32.const ${kept}) (i32.sub ${used} (i32.const ${room})))`,
    )}))`;
}

/** Names of the two functions, as the tool that makes components looks for them. */
const names = ["cabi_realloc", "cabi_realloc_adapter"];

/** A section that is a list: how many entries it has, and their bytes. */
interface Entries {
  readonly count: number;
  readonly bytes: Uint8Array;
}

/**
 * The module with these two functions added and exported.
 * @throws BuildFault COMPONENT_INVALID when it has no mark
 */
export async function withRealloc(module: Uint8Array, path: string): Promise<Uint8Array> {
  const { preamble, sections } = sectionsOf(module);
  const added = sectionsOf(await parse(functionsText(addressOfMark(sections, path)))).sections;
  const typeIndex = entriesOf(sections, typeSection).count;
  const functionIndex = importedFunctions(sections) + entriesOf(sections, functionSection).count;
  const additions = new Map<number, Entries>([
    [typeSection, entriesOf(added, typeSection)],
    [functionSection, entries(names.map(() => unsigned(typeIndex)))],
    [exportSection, entries(names.map((name, index) => functionExport(name, functionIndex + index)))],
    [codeSection, entriesOf(added, codeSection)],
  ]);
  return binaryOf(
    preamble,
    sections.map((section): Section => {
      const more = additions.get(section.id);
      if (more === undefined) return section;
      const { count, bytes } = entriesOf([section], section.id);
      const head = Uint8Array.from(unsigned(count + more.count));
      return { id: section.id, content: Buffer.concat([head, bytes, more.bytes]) };
    }),
  );
}

function entriesOf(sections: readonly Section[], id: number): Entries {
  const section = sections.find((one) => one.id === id);
  assert(section !== undefined, `a module with functions has a section ${id}`);
  const reader = new Reader(section.content);
  return { count: reader.u32(), bytes: section.content.subarray(reader.offset) };
}

const entries = (list: readonly (readonly number[])[]): Entries => ({
  count: list.length,
  bytes: Uint8Array.from(list.flat()),
});

const functionExport = (name: string, index: number): number[] => [
  ...unsigned(name.length),
  ...Buffer.from(name, "latin1"),
  functionKind,
  ...unsigned(index),
];

/** Go imports functions and nothing else. */
function importedFunctions(sections: readonly Section[]): number {
  return sections.some(({ id }) => id === importSection) ? entriesOf(sections, importSection).count : 0;
}

/** Where the module's data has the mark. */
function addressOfMark(sections: readonly Section[], path: string): number {
  const section = sections.find(({ id }) => id === dataSection);
  const reader = new Reader(section?.content ?? Uint8Array.of(0));
  for (let count = reader.u32(); count > 0; count--) {
    // An active segment of memory 0: where it goes, as a constant, and its bytes.
    if (reader.u32() !== 0 || reader.byte() !== i32Const) break;
    const address = reader.s32() >>> 0;
    if (reader.byte() !== end) break;
    const at = Buffer.from(reader.take(reader.u32())).indexOf(mark);
    if (at !== -1) return address + at;
  }
  throw new BuildFault(
    "COMPONENT_INVALID",
    `${path} does not use package shallop, whose Handle says what answers requests`,
  );
}
