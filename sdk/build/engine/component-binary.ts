import { BuildFault } from "../fault.ts";
import { binaryOf, Reader, type Section, sectionsOf } from "./wasm-binary.ts";

/** Section ids of a component: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md */
const coreModuleSection = 1;
const componentSection = 4;
const importSection = 10;
const exportSection = 11;

/** Rewrites every core module of a component, those of nested components included, in order. */
export function mapCoreModules(component: Uint8Array, rewrite: (module: Uint8Array) => Uint8Array): Uint8Array {
  const { preamble, sections } = sectionsOf(component);
  const mapped = sections.map(({ id, content }): Section => {
    if (id === coreModuleSection) return { id, content: rewrite(content) };
    if (id === componentSection) return { id, content: mapCoreModules(content, rewrite) };
    return { id, content };
  });
  return binaryOf(preamble, mapped);
}

/**
 * Replaces the namespace of a component's own imports and exports: `wazi:http/types@0.2.10` → `wasi:http/types@0.2.10`.
 * Both have the same length, so that nothing moves.
 */
export function renameNamespace(component: Uint8Array, from: string, to: string): Uint8Array {
  const { preamble, sections } = sectionsOf(component);
  const old = Buffer.from(`${from}:`);
  const fresh = Buffer.from(`${to}:`);
  const renamed = sections.map(({ id, content }): Section => {
    if (id !== importSection && id !== exportSection) return { id, content };
    const copy = Buffer.from(content);
    for (let at = copy.indexOf(old); at !== -1; at = copy.indexOf(old, at + 1)) fresh.copy(copy, at);
    return { id, content: copy };
  });
  return binaryOf(preamble, renamed);
}

export interface ComponentNames {
  readonly imports: readonly string[];
  readonly exports: readonly string[];
}

/** Names of a component's imports and exports, in its order. */
export function componentNames(component: Uint8Array): ComponentNames {
  const imports: string[] = [];
  const exports: string[] = [];
  for (const { id, content } of sectionsOf(component).sections) {
    if (id === importSection) imports.push(...externNames(content, skipExternDescription));
    if (id === exportSection) exports.push(...externNames(content, skipExport));
  }
  return { imports, exports };
}

function externNames(content: Uint8Array, skipRest: (reader: Reader) => void): string[] {
  const reader = new Reader(content);
  const names: string[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    // A name is a kind byte and a string; with kind 2 the rest of its version follows, as another string.
    const kind = reader.byte();
    if (kind > 0x02) throw new BuildFault("COMPONENT_INVALID", `the component has a name of the unknown kind ${kind}`);
    names.push(reader.name());
    if (kind === 0x02) reader.name();
    skipRest(reader);
  }
  return names;
}

/** externdesc: a kind byte, for core modules and types one byte more, and an index or a primitive type. */
function skipExternDescription(reader: Reader): void {
  const kind = reader.byte();
  if (kind === 0x00) reader.byte();
  if (kind === 0x03 && reader.byte() === 0x01) return;
  if (kind === 0x02 && reader.byte() === 0x01) {
    // A value import with a type.
  }
  reader.s32();
}

/** export: a sort (core sorts have a second byte), an index, and an optional description. */
function skipExport(reader: Reader): void {
  if (reader.byte() === 0x00) reader.byte();
  reader.u32();
  if (reader.byte() === 0x01) skipExternDescription(reader);
}
