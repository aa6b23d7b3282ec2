import { BinaryError, BinaryReader, encodeUnsigned } from "./leb128.ts";

/** A page of linear memory (core spec 4.2.8). */
export const pageBytes = 64 * 1024;

const importSection = 2;
const memorySection = 5;
const preambleBytes = 8;

/** The module needs more memory from its first moment than the cap allows. */
export class MemoryCapError extends Error {
  override readonly name = "MemoryCapError";
}

/**
 * The core module with the maximum of each memory that it defines lowered to `bytesMax`, so that `memory.grow` beyond
 * it answers -1 as on a machine that has no more. Shared memories are refused: threads of a guest are not supported,
 * and shared memory makes a clock.
 * @throws MemoryCapError when a memory's minimum is above the cap already
 * @throws BinaryError when the module is malformed
 */
export function capMemories(module: Uint8Array, bytesMax: number): Uint8Array {
  const pagesMax = BigInt(Math.floor(bytesMax / pageBytes));
  const reader = new BinaryReader(module, preambleBytes);
  while (!reader.atEnd) {
    const start = reader.offset;
    const id = reader.byte();
    const section = reader.part(reader.u32());
    if (id === importSection) refuseSharedImports(section);
    if (id !== memorySection) continue;
    const rewritten = rewriteMemories(section, pagesMax);
    const parts = [module.subarray(0, start), rewritten, module.subarray(reader.offset)];
    return Buffer.concat(parts);
  }
  return module;
}

interface Limits {
  readonly is64: boolean;
  readonly minimum: bigint;
  readonly maximum: bigint | undefined;
}

/** limits: flags (1 = maximum, 2 = shared, 4 = 64-bit addresses, 8 = page size follows), minimum, maximum. */
function readLimits(reader: BinaryReader): Limits {
  const at = reader.offset;
  const flags = reader.byte();
  if ((flags & 2) !== 0) throw new BinaryError("the module has a shared memory, which is not supported", at);
  if (flags > 7) throw new BinaryError("the module has a memory of an unknown kind", at);
  const minimum = reader.u64();
  return { is64: (flags & 4) !== 0, minimum, maximum: (flags & 1) === 0 ? undefined : reader.u64() };
}

function rewriteMemories(section: BinaryReader, pagesMax: bigint): Uint8Array {
  const count = section.u32();
  const body = encodeUnsigned(BigInt(count));
  for (let index = 0; index < count; index++) {
    const { is64, minimum, maximum } = readLimits(section);
    if (minimum > pagesMax) {
      throw new MemoryCapError(
        `the component needs ${minimum * BigInt(pageBytes)} bytes of memory to start, and its limit is ${pagesMax * BigInt(pageBytes)}`,
      );
    }
    const lowered = maximum === undefined || maximum > pagesMax ? pagesMax : maximum;
    body.push(is64 ? 5 : 1, ...encodeUnsigned(minimum), ...encodeUnsigned(lowered));
  }
  return Uint8Array.from([memorySection, ...encodeUnsigned(BigInt(body.length)), ...body]);
}

function refuseSharedImports(section: BinaryReader): void {
  for (let count = section.u32(); count > 0; count--) {
    section.name();
    section.name();
    switch (section.byte()) {
      case 0x00:
        section.u32();
        break;
      case 0x01:
        skipRefType(section);
        skipTableLimits(section);
        break;
      case 0x02:
        readLimits(section);
        break;
      case 0x03:
        skipRefType(section);
        section.byte();
        break;
      case 0x04:
        section.byte();
        section.u32();
        break;
      default:
        throw new BinaryError("an import has an unknown kind", section.offset);
    }
  }
}

/** A value or reference type: one byte, or `ref` / `ref null` (0x64, 0x63) with a heap type behind it. */
function skipRefType(reader: BinaryReader): void {
  const type = reader.byte();
  if (type === 0x63 || type === 0x64) reader.skipSigned();
}

function skipTableLimits(reader: BinaryReader): void {
  const flags = reader.byte();
  reader.u64();
  if ((flags & 1) !== 0) reader.u64();
}
