import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { LayerError } from "./tar-format.ts";

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
  if (head[0] === 0x1f && head[1] === 0x8b) return through(source, createGunzip());
  // RFC 8878: a window of up to 8 MiB must be readable; zlib's own bound of 128 MiB holds.
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return through(source, createZstdDecompress());
  return source;
}

async function* through(
  source: AsyncIterable<Buffer>,
  transform: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>,
): AsyncGenerator<Buffer, void, undefined> {
  const piped = pipeline(Readable.from(source), transform);
  piped.catch(() => undefined);
  try {
    yield* transform as AsyncIterable<Buffer>;
    await piped;
  } catch (error) {
    if (error instanceof LayerError) throw error;
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
