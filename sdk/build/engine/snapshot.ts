import { BuildFault } from "../fault.ts";
import { mapCoreModules } from "./component-binary.ts";
import { canonicalMemory, stackBytes } from "./canonical-memory.ts";
import { binaryOf, Reader, sectionsOf, signed, unsigned } from "./wasm-binary.ts";

/**
 * A component that was pre-initialised at build time holds a picture of its memory as data segments. In it are a few
 * words that differ from build to build: seeds of random generators, times, and a hash table that was ordered by a
 * random key. `reproducible` takes the pictures of several builds of one source and gives one component that they all
 * lead to.
 */
const dataSection = 11;
const dataCountSection = 12;

interface Picture {
  readonly memory: Uint8Array;
}

/** @throws BuildFault NOT_REPRODUCIBLE */
export function reproducible(builds: readonly Uint8Array[]): Uint8Array {
  const modules = builds.map(snapshotModuleOf);
  const [first] = modules;
  const [build] = builds;
  if (first === undefined || build === undefined) throw new BuildFault("NOT_REPRODUCIBLE", "no build was given");
  const memories = modules.map((module) => pictureOf(module).memory);
  const memory = canonicalMemory(memories);
  const rest = withData(first, new Uint8Array());
  for (const other of modules.slice(1)) {
    if (Buffer.compare(rest, withData(other, new Uint8Array())) !== 0) {
      throw new BuildFault("NOT_REPRODUCIBLE", "two builds of one source differ outside their memory");
    }
  }
  const rewritten = withData(first, memory);
  return mapCoreModules(build, (module) => (module === first || sameBytes(module, first) ? rewritten : module));
}

/**
 * The component with another memory for one of its modules. Mutable globals of a module at rest are as they were at the
 * start: the stack pointer is back, and the adapter allocates its state anew.
 */
export function withSnapshot(component: Uint8Array, module: Uint8Array, memory: Uint8Array): Uint8Array {
  const picture = Uint8Array.from(memory);
  picture.fill(0, 0, stackBytes);
  const pages = memory.length / pageBytes;
  return mapCoreModules(component, (other) =>
    sameBytes(other, module) ? withData(withMinimumPages(module, pages), picture) : other,
  );
}

/** A core module that starts with `memory`, whatever it had as data. */
export function withWholeMemory(module: Uint8Array, memory: Uint8Array): Uint8Array {
  return withData(withMinimumPages(module, memory.length / pageBytes), memory);
}

const exportSection = 7;

/** A core module without the exports of these names. */
export function withoutExports(module: Uint8Array, names: readonly string[]): Uint8Array {
  const { preamble, sections } = sectionsOf(module);
  return binaryOf(
    preamble,
    sections.map((section) => {
      if (section.id !== exportSection) return section;
      const reader = new Reader(section.content);
      const kept: Uint8Array[] = [];
      for (let count = reader.u32(); count > 0; count--) {
        const start = reader.offset;
        const name = reader.name();
        reader.byte();
        reader.u32();
        if (!names.includes(name)) kept.push(section.content.subarray(start, reader.offset));
      }
      return { id: exportSection, content: Buffer.concat([Uint8Array.from(unsigned(kept.length)), ...kept]) };
    }),
  );
}

const memorySection = 5;
const pageBytes = 65_536;

/** The module with its memory's minimum raised to `pages`. */
function withMinimumPages(module: Uint8Array, pages: number): Uint8Array {
  const { preamble, sections } = sectionsOf(module);
  return binaryOf(
    preamble,
    sections.map((section) => {
      if (section.id !== memorySection) return section;
      const reader = new Reader(section.content);
      const count = reader.u32();
      const flags = reader.byte();
      reader.u32();
      const rest = reader.take(section.content.length - reader.offset);
      return {
        id: memorySection,
        content: Buffer.concat([Uint8Array.from([...unsigned(count), flags, ...unsigned(pages)]), rest]),
      };
    }),
  );
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && Buffer.compare(a, b) === 0;

/** The module whose data is the snapshot: the one with the most data segments. */
export function snapshotModuleOf(component: Uint8Array): Uint8Array {
  let best: { readonly module: Uint8Array; readonly segments: number } | undefined;
  mapCoreModules(component, (module) => {
    const data = sectionsOf(module).sections.find((section) => section.id === dataSection);
    const segments = data === undefined ? 0 : new Reader(data.content).u32();
    if (best === undefined || segments > best.segments) best = { module, segments };
    return module;
  });
  if (best === undefined) throw new BuildFault("COMPONENT_INVALID", "the component has no core module");
  return best.module;
}

/** More than this cannot be a snapshot of a JavaScript engine that has just started. */
const memoryBytesMax = 256 * 1024 * 1024;

function pictureOf(module: Uint8Array): Picture {
  const data = sectionsOf(module).sections.find((section) => section.id === dataSection);
  if (data === undefined) throw new BuildFault("COMPONENT_INVALID", "the engine's module has no data");
  const reader = new Reader(data.content);
  const segments: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    // Active segment of memory 0 with a constant offset: 0x00, i32.const, offset, end.
    if (reader.byte() !== 0x00 || reader.byte() !== 0x41) {
      throw new BuildFault("NOT_REPRODUCIBLE", "the engine's module has a data segment without a constant place");
    }
    const offset = reader.s32() >>> 0;
    reader.byte();
    segments.push({ offset, bytes: reader.take(reader.u32()) });
  }
  const byteCount = Math.max(0, ...segments.map(({ offset, bytes }) => offset + bytes.length));
  if (byteCount > memoryBytesMax) throw new BuildFault("COMPONENT_INVALID", `the snapshot has ${byteCount} bytes`);
  const memory = new Uint8Array(byteCount);
  for (const { offset, bytes } of segments) memory.set(bytes, offset);
  return { memory };
}

/** The module with `memory` for its data: a segment for each run of bytes between long runs of zeros. */
function withData(module: Uint8Array, memory: Uint8Array): Uint8Array {
  const { preamble, sections } = sectionsOf(module);
  const segments = runsOf(memory);
  const parts: Uint8Array[] = [Uint8Array.from(unsigned(segments.length))];
  for (const [start, end] of segments) {
    parts.push(
      Uint8Array.from([0x00, 0x41, ...signed(start | 0), 0x0b, ...unsigned(end - start)]),
      memory.subarray(start, end),
    );
  }
  const content = Buffer.concat(parts);
  const others = sections.filter(({ id }) => id !== dataCountSection && id !== dataSection);
  // Data is the last section that has an order; what may follow it has none.
  return binaryOf(preamble, [...others, { id: dataSection, content }]);
}

/** A segment's header costs up to 12 bytes and time at each start; fewer zeros than this are cheaper written out. */
const zerosMin = 64;

function runsOf(memory: Uint8Array): [number, number][] {
  const runs: [number, number][] = [];
  let at = 0;
  while (at < memory.length) {
    while (at < memory.length && memory[at] === 0) at++;
    if (at === memory.length) break;
    const start = at;
    let end = at;
    while (at < memory.length && at - end < zerosMin) {
      if (memory[at] !== 0) end = at + 1;
      at++;
    }
    runs.push([start, end]);
  }
  return runs;
}
