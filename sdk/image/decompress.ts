import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { errorCode } from "../internal/fault.ts";

export type Compression = "gzip" | "zstd" | "none";

/** By the first four bytes of a file. RFC 1952, 2.3.1; RFC 8878, 3.1.1 and 3.1.2: parallel writers begin with a frame to skip. */
export function compressionOf(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head.length < 4) return "none";
  const magic = Buffer.from(head.subarray(0, 4)).readUInt32LE(0);
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50 ? "zstd" : "none";
}

/** What is in a file, whatever it is compressed with: told by its first bytes, since it may come without a name. */
export async function* decompressed(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let size = 0;
  while (size < 4) {
    const next = await iterator.next();
    if (next.done === true) break;
    first.push(next.value);
    size += next.value.length;
  }
  const head = Buffer.concat(first);
  const all = async function* rest(): AsyncGenerator<Uint8Array, void, undefined> {
    if (head.length > 0) yield head;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  };
  const compression = compressionOf(head);
  if (compression === "gzip") yield* through(all(), createGunzip());
  else if (compression === "zstd") yield* through(all(), createZstdDecompress());
  else yield* all();
}

export async function* through(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
): AsyncGenerator<Uint8Array, void, undefined> {
  const piped = pipeline(Readable.from(source), transform);
  // Its failure comes out of the iteration, too.
  piped.catch(() => undefined);
  yield* transform as AsyncIterable<Uint8Array>;
  try {
    await piped;
  } catch (error) {
    // What was compressed has come whole, and zlib reads no further: tapes and padded files have zeros behind it.
    if (errorCode(error) !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}
