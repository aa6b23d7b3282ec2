import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { LayerError } from "./tar-format.ts";

/** Decompressed in a thread of its own, and handed over in pieces of this size: each is a turn of both threads. */
const pieceBytes = 256 * 1024;

/**
 * The archive in a layer: decompressed by what its first bytes say, because Docker's media types may not say. Bytes are
 * counted and hashed on the way.
 */
export class LayerBytes {
  readonly #hash;
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax of the archive; a gzip of 1 MB may hold 1 GB, a zstd of 1 MB 30 GB */
  constructor(algorithm: string, bytesMax: number) {
    this.#hash = createHash(algorithm);
    this.#bytesMax = bytesMax;
  }

  /** @throws LayerError LAYER_INVALID | TOO_LARGE */
  async *archive(compressed: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    const source = compressed[Symbol.asyncIterator]();
    const head = await atLeast(source, 4);
    const all = prepend(head, source);
    for await (const chunk of decompressed(head, all)) {
      this.#bytes += chunk.length;
      if (this.#bytes > this.#bytesMax) {
        throw new LayerError("TOO_LARGE", `the layer decompresses to more than ${this.#bytesMax} bytes`);
      }
      this.#hash.update(chunk);
      yield chunk;
    }
  }

  /** Hex, of the whole archive; call once, at the end. */
  hex(): string {
    return this.#hash.digest("hex");
  }
}

function decompressed(head: Buffer, source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  if (head[0] === 0x1f && head[1] === 0x8b) return through(source, createGunzip({ chunkSize: pieceBytes }));
  // RFC 8878: a window of up to 8 MiB must be readable; zlib's own bound of 128 MiB holds.
  if (head.length >= 4 && isZstd(head.readUInt32LE(0)))
    return through(source, createZstdDecompress({ chunkSize: pieceBytes }));
  return source;
}

/** RFC 8878, 3.1.2: what is written in parallel begins with a frame to skip, of one of sixteen kinds. */
const isZstd = (magic: number): boolean => magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50;

async function* through(
  source: AsyncIterable<Buffer>,
  transform: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>,
): AsyncGenerator<Buffer, void, undefined> {
  const piped = pipeline(Readable.from(source), transform);
  piped.catch(() => undefined);
  let isWhole = false;
  try {
    yield* transform as AsyncIterable<Buffer>;
    isWhole = true;
    await piped;
  } catch (error) {
    if (error instanceof LayerError) throw error;
    // zlib reads no further than what was compressed: tapes and padded files have zeros behind it.
    if (isWhole && error instanceof Error && "code" in error && error.code === "ERR_STREAM_PREMATURE_CLOSE") return;
    throw new LayerError("LAYER_INVALID", "the layer's compression is broken, or it ends too early", { cause: error });
  }
}

async function atLeast(source: AsyncIterator<Buffer>, length: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let size = 0; size < length;) {
    const next = await source.next();
    if (next.done === true) break;
    parts.push(next.value);
    size += next.value.length;
  }
  return Buffer.concat(parts);
}

async function* prepend(head: Buffer, source: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  if (head.length > 0) yield head;
  for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
}
