import { constants, createDeflate, createInflate, type Deflate, type Inflate } from "node:zlib";
import { StreamFault } from "./stream-fault.ts";
import { spdyDictionary } from "./spdy-dictionary.ts";

/** Header blocks of kubectl hold a handful of short names: this much is a client that means harm. */
const blockBytesMax = 16 * 1024;
const headersMax = 64;

/** Reads the header blocks of one side of a session: one compressed stream over all of them (SPDY 3.1, 2.6.10.1). */
export class HeaderReader implements Disposable {
  readonly #inflate: Inflate = createInflate({ dictionary: spdyDictionary });

  /** One block at a time. @throws StreamFault PROTOCOL */
  async read(compressed: Buffer): Promise<ReadonlyMap<string, string>> {
    return parseHeaders(await this.#inflated(compressed));
  }

  [Symbol.dispose](): void {
    this.#inflate.close();
  }

  #inflated(compressed: Buffer): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const inflate = this.#inflate;
    return new Promise((resolve, reject) => {
      const done = (error?: Error): void => {
        inflate.off("data", take).off("error", broken);
        if (error === undefined) resolve(Buffer.concat(chunks));
        else reject(error);
      };
      const take = (chunk: Buffer): void => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > blockBytesMax) {
          inflate.close();
          done(new StreamFault("PROTOCOL", `a header block is larger than ${String(blockBytesMax)} bytes`));
        }
      };
      const broken = (cause: Error): void =>
        done(new StreamFault("PROTOCOL", "a header block cannot be inflated", { cause }));
      inflate.on("data", take).once("error", broken);
      inflate.write(compressed);
      inflate.flush(constants.Z_SYNC_FLUSH, () => done());
    });
  }
}

/** Writes header blocks that say nothing, which is all that a server here has to say. */
export class EmptyHeaderWriter implements Disposable {
  readonly #deflate: Deflate = createDeflate({ dictionary: spdyDictionary });

  write(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const deflate = this.#deflate;
    return new Promise((resolve) => {
      const take = (chunk: Buffer): void => void chunks.push(chunk);
      deflate.on("data", take);
      // The number of headers: none.
      deflate.write(Buffer.alloc(4));
      deflate.flush(constants.Z_SYNC_FLUSH, () => {
        deflate.off("data", take);
        resolve(Buffer.concat(chunks));
      });
    });
  }

  [Symbol.dispose](): void {
    this.#deflate.close();
  }
}

function parseHeaders(block: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  let offset = 0;
  const number = (): number => {
    if (offset + 4 > block.length) throw cutShort();
    const value = block.readUInt32BE(offset);
    offset += 4;
    return value;
  };
  const text = (): string => {
    const length = number();
    if (offset + length > block.length) throw cutShort();
    offset += length;
    return block.toString("utf8", offset - length, offset);
  };
  const count = number();
  if (count > headersMax) throw new StreamFault("PROTOCOL", `a header block has ${String(count)} headers`);
  for (let index = 0; index < count; index++) headers.set(text().toLowerCase(), text());
  return headers;
}

const cutShort = (): StreamFault => new StreamFault("PROTOCOL", "a header block ends in the middle of a header");
