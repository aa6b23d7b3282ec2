import { CapError } from "./cap-error.ts";
import { BinaryError, type BinaryReader, encodeUnsigned } from "../leb128.ts";
import { readImports, readMemoryType } from "./definitions.ts";
import { type PutSection, readerOf, sectionId, sectionsOf, withSection } from "./sections.ts";

/** A page of linear memory (core spec 4.2.8). */
export const pageBytes = 64 * 1024;
// What 32 bits address: a module that says more is none.
const pagesMax = 65_536;

/**
 * The core module with the maximum of each memory that it defines lowered to `bytesMax`, so that `memory.grow` beyond
 * it answers -1 as on a machine that has no more. Shared memories are refused: threads of a guest are not supported,
 * and shared memory makes a clock.
 * @throws CapError when a memory's minimum is above the cap already
 * @throws BinaryError when the module is malformed
 */
export function capMemories(module: Uint8Array, bytesMax: number, put: PutSection = withSection): Uint8Array {
  const sections = sectionsOf(module);
  const imports = readImports(readerOf(module, sections, sectionId.import));
  if (imports.memories.some(({ isShared }) => isShared)) refuseShared(0);
  const memories = readerOf(module, sections, sectionId.memory);
  if (memories === undefined) return module;
  const content = cappedMemories(memories, BigInt(Math.min(pagesMax, Math.floor(bytesMax / pageBytes))));
  return put(module, sections, { id: sectionId.memory, content });
}

function cappedMemories(section: BinaryReader, pagesMax: bigint): Uint8Array {
  const count = section.u32();
  const content = encodeUnsigned(BigInt(count));
  for (let index = 0; index < count; index++) {
    const at = section.offset;
    const { is64, isShared, minimum, maximum } = readMemoryType(section);
    if (isShared) refuseShared(at);
    if (minimum > pagesMax) {
      throw new CapError(
        "memory",
        `the component needs ${minimum * BigInt(pageBytes)} bytes of memory to start, and its limit is ${pagesMax * BigInt(pageBytes)}`,
      );
    }
    const lowered = maximum === undefined || maximum > pagesMax ? pagesMax : maximum;
    content.push(is64 ? 5 : 1, ...encodeUnsigned(minimum), ...encodeUnsigned(lowered));
  }
  return Uint8Array.from(content);
}

function refuseShared(at: number): never {
  throw new BinaryError("the module has a shared memory, which is not supported", at);
}
