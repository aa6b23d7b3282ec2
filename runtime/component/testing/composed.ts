import { readSurface } from "../component-binary.ts";
import { u32, name } from "../core-module/encode.ts";
import { BinaryReader } from "../leb128.ts";

interface Composition {
  /** What it exports is what the composition exports. */
  readonly front: Uint8Array;
  /** What `front` imports beside what the host gives; its own imports are all that the composition asks of the host. */
  readonly back: Uint8Array;
  /** The interface that the one gives to the other. */
  readonly between: string;
  /** The interface of `front` that is exported. */
  readonly exported: string;
}

const componentHeader: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const sectionId = { custom: 0, component: 4, instance: 5, alias: 6, type: 7, import: 10, export: 11 } as const;
const leading: readonly number[] = [sectionId.custom, sectionId.alias, sectionId.type, sectionId.import];
/** An instance, as a sort (component-model Binary.md, "Instance Definitions"). */
const instanceSort = 0x05;

/**
 * Two components that were built apart, composed as `wac plug` and `wasm-tools compose` do it: a component that holds both, hands
 * its imports on to them, and gives `front` the instance that `back` exports.
 */
export function composed({ front, back, between, exported }: Composition): Uint8Array {
  const given = readSurface(back).imports;
  const instances = new Map(given.map((imported, index) => [imported, index]));
  const backInstance = given.length;
  const betweenInstance = backInstance + 1;
  const frontArguments = readSurface(front).imports.map((imported) => {
    const index = imported === between ? betweenInstance : instances.get(imported);
    if (index === undefined) throw new RangeError(`back does not import ${imported}, which front does`);
    return argument(imported, index);
  });
  const frontInstance = betweenInstance + 1;
  return Buffer.concat([
    Uint8Array.from(componentHeader),
    importsOf(back),
    section(sectionId.component, back),
    section(sectionId.component, front),
    section(sectionId.instance, instantiate(0, given.map(argument))),
    section(sectionId.alias, aliasOf(backInstance, between)),
    section(sectionId.instance, instantiate(1, frontArguments)),
    section(sectionId.alias, aliasOf(frontInstance, exported)),
    section(sectionId.export, [1, 0x00, ...name(exported), instanceSort, ...u32(frontInstance + 1), 0x00]),
  ]);
}

/** The sections that a component begins with: its imports, and the types that they need. */
function importsOf(component: Uint8Array): Uint8Array {
  const reader = new BinaryReader(component, componentHeader.length);
  let end = reader.offset;
  while (!reader.atEnd && leading.includes(reader.byte())) {
    reader.take(reader.u32());
    end = reader.offset;
  }
  return component.subarray(componentHeader.length, end);
}

const section = (id: number, content: Uint8Array | readonly number[]): Uint8Array =>
  Buffer.concat([Uint8Array.from([id, ...u32(content.length)]), Uint8Array.from(content)]);
const argument = (imported: string, instance: number): readonly number[] => [
  ...name(imported),
  instanceSort,
  ...u32(instance),
];
const instantiate = (component: number, args: readonly (readonly number[])[]): readonly number[] => [
  ...[1, 0x00, ...u32(component), ...u32(args.length)],
  ...args.flat(),
];
const aliasOf = (instance: number, exported: string): readonly number[] => [
  ...[1, instanceSort, 0x00, ...u32(instance)],
  ...name(exported),
];
