import { ReadableStream } from "web-streams-polyfill";
import { TextDecoder, TextEncoder } from "./text-encoding.ts";

type BlobPart = string | ArrayBuffer | ArrayBufferView | Blob;

const encoder = new TextEncoder();

/** https://w3c.github.io/FileAPI/#blob-section */
export class Blob {
  readonly type: string;
  readonly #bytes: Uint8Array;

  constructor(parts: Iterable<BlobPart> = [], options: { readonly type?: string } = {}) {
    const chunks = [...parts].map(bytesOf);
    this.#bytes = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
    let offset = 0;
    for (const chunk of chunks) {
      this.#bytes.set(chunk, offset);
      offset += chunk.length;
    }
    const type = options.type ?? "";
    // The File API, 3.1: a type with anything but printable ASCII counts as none.
    this.type = /^[ -~]*$/.test(type) ? type.toLowerCase() : "";
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** The bytes themselves; not to be changed. */
  takeBytes(): Uint8Array {
    return this.#bytes;
  }

  slice(start = 0, end = this.size, type = ""): Blob {
    return new Blob([this.#bytes.slice(start, end)], { type });
  }

  async bytes(): Promise<Uint8Array> {
    return this.#bytes.slice();
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#bytes.slice().buffer;
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(this.#bytes);
  }

  stream(): ReadableStream<Uint8Array> {
    const bytes = this.#bytes.slice();
    return new ReadableStream({
      start(controller) {
        if (bytes.length > 0) controller.enqueue(bytes);
        controller.close();
      },
    });
  }
}

export class File extends Blob {
  readonly name: string;
  readonly lastModified: number;

  constructor(
    parts: Iterable<BlobPart>,
    name: string,
    options: { readonly type?: string; readonly lastModified?: number } = {},
  ) {
    super(parts, options);
    this.name = name;
    this.lastModified = options.lastModified ?? Date.now();
  }
}

function bytesOf(part: BlobPart): Uint8Array {
  if (typeof part === "string") return encoder.encode(part);
  if (part instanceof Blob) return part.takeBytes();
  if (ArrayBuffer.isView(part)) return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  return new Uint8Array(part);
}
