import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { capMemories } from "./memory-cap.ts";
import { placed, type PutSection, withSection } from "./sections.ts";
import { capTables } from "./table-cap.ts";

/** What is written into every module of a pod. */
export interface ModuleCaps {
  readonly memoryBytes: number;
  readonly tableEntriesMax: number;
}

// A maximum takes some bytes more than what was there; a module with very many tables is copied.
const roomBytes = 256;

/**
 * A core module from a file, capped. At once: a request waits for it. Its bytes are in memory once: sections with limits come before code and
 * data, so that what a cap adds moves the few bytes before it into room that was left for that, and not the many behind it.
 * @throws CapError, BinaryError, and what reading throws
 */
export function readCapped(path: string, { memoryBytes, tableEntriesMax }: ModuleCaps): Uint8Array {
  return capTables(capMemories(readWithRoom(path), memoryBytes, putInRoom), tableEntriesMax, putInRoom);
}

function readWithRoom(path: string): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const whole = Buffer.allocUnsafeSlow(roomBytes + size);
    for (let at = roomBytes; at < whole.length;) {
      const count = readSync(fd, whole, at, whole.length - at, null);
      if (count === 0) throw new Error(`${path} ended after ${at - roomBytes} of ${size} bytes`);
      at += count;
    }
    return whole.subarray(roomBytes);
  } finally {
    closeSync(fd);
  }
}

/** In place: for a module that has an ArrayBuffer to itself. */
const putInRoom: PutSection = (module, sections, section) => {
  const { start, end, bytes } = placed(module, sections, section);
  const from = module.byteOffset;
  const at = from + end - start - bytes.length;
  if (at < 0) return withSection(module, sections, section);
  const whole = Buffer.from(module.buffer, 0, from + module.length);
  whole.copyWithin(at, from, from + start);
  whole.set(bytes, at + start);
  return whole.subarray(at);
};
