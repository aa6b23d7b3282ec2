import fs from "node:fs";
import { promisify } from "node:util";

/**
 * System calls on descriptors, in libuv's threads: a disk or a network file system may take long to answer. Plain
 * numbers, not `FileHandle`: those close themselves, or throw, when the garbage collector finds them, and cannot be made
 * synchronously.
 */
const fstatBig = promisify(fs.fstat) as (fd: number, options: { readonly bigint: true }) => Promise<fs.BigIntStats>;

export const open = promisify(fs.open) as (path: string, flags: number, mode?: number) => Promise<number>;
export const close = promisify(fs.close);
export const fstat = (fd: number): Promise<fs.BigIntStats> => fstatBig(fd, { bigint: true });
export const ftruncate = promisify(fs.ftruncate);
export const fdatasync = promisify(fs.fdatasync);
export const fsync = promisify(fs.fsync);
export const futimes = promisify(fs.futimes);

/** pread(2). */
export function read(fd: number, buffer: Uint8Array, position: bigint): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, buffer, 0, buffer.length, position, (error, byteCount) => {
      if (error === null) resolve(byteCount);
      else reject(error);
    });
  });
}

/** pwrite(2); `position` null = where the descriptor stands. */
export function write(fd: number, buffer: Uint8Array, position: number | null): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, buffer, 0, buffer.length, position, (error, byteCount) => {
      if (error === null) resolve(byteCount);
      else reject(error);
    });
  });
}
