import { ReadableStream } from "web-streams-polyfill";
import { Blob } from "./blob.ts";
import { FormData } from "./form-data.ts";
import { formDataOf, multipartOf } from "./multipart.ts";
import type { Headers } from "./headers.ts";
import { TextDecoder, TextEncoder } from "./text-encoding.ts";

export type BodyInit =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | FormData
  | URLSearchParams
  | ReadableStream<Uint8Array>;

const encoder = new TextEncoder();

/** https://fetch.spec.whatwg.org/#body-mixin. Bytes that are known stay bytes; a stream is made only when asked for. */
export class Body {
  #bytes: Uint8Array | undefined;
  #stream: ReadableStream<Uint8Array> | null = null;
  #used = false;
  readonly #contentType: () => string | null;

  protected constructor(init: BodyInit | null | undefined, headers: Headers) {
    this.#contentType = () => headers.get("content-type");
    if (init === null || init === undefined) return;
    if (init instanceof ReadableStream) {
      if (init.locked || isDisturbed(init)) throw new TypeError("the stream for a body is in use already");
      this.#stream = init;
      return;
    }
    const [bytes, type] = extract(init);
    this.#bytes = bytes;
    if (type !== undefined && !headers.has("content-type")) headers.set("content-type", type);
  }

  get hasBody(): boolean {
    return this.#bytes !== undefined || this.#stream !== null;
  }

  get body(): ReadableStream<Uint8Array> | null {
    const bytes = this.#bytes;
    if (bytes !== undefined) {
      this.#bytes = undefined;
      this.#stream = streamOf(bytes);
    }
    return this.#stream;
  }

  get bodyUsed(): boolean {
    return this.#used || (this.#stream !== null && isDisturbed(this.#stream));
  }

  /** The host's side: the bytes if they are known, used up by this call. */
  takeBytes(): Uint8Array | undefined {
    const bytes = this.#bytes;
    if (bytes === undefined) return undefined;
    this.#used = true;
    this.#bytes = undefined;
    return bytes;
  }

  async bytes(): Promise<Uint8Array> {
    this.#checkReadable();
    const known = this.takeBytes();
    if (known !== undefined) return known;
    if (this.#stream === null) return new Uint8Array();
    this.#used = true;
    const chunks: Uint8Array[] = [];
    const reader = this.#stream.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!(value instanceof Uint8Array)) throw new TypeError("a body stream must give Uint8Array chunks");
      chunks.push(value);
    }
    return concat(chunks);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await this.bytes();
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text()) as unknown;
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.bytes()], { type: this.#contentType() ?? "" });
  }

  async formData(): Promise<FormData> {
    return formDataOf(await this.bytes(), this.#contentType() ?? "");
  }

  /** For `clone`: both read the same from here on. */
  protected tee(): BodyInit | null {
    this.#checkReadable();
    if (this.#bytes !== undefined) return this.#bytes;
    if (this.#stream === null) return null;
    const [mine, theirs] = this.#stream.tee();
    this.#stream = mine;
    return theirs;
  }

  #checkReadable(): void {
    if (this.bodyUsed) throw new TypeError("the body was read already");
    if (this.#stream?.locked === true) throw new TypeError("the body is being read through a reader of its stream");
  }
}

/** Whether a stream was ever read or cancelled. The standard asks this of a stream; the library keeps it in a field. */
const isDisturbed = (stream: ReadableStream): boolean => Reflect.get(stream, "_disturbed") === true;

function extract(init: Exclude<BodyInit, ReadableStream>): [Uint8Array, string | undefined] {
  if (typeof init === "string") return [encoder.encode(init), "text/plain;charset=UTF-8"];
  if (ArrayBuffer.isView(init))
    return [new Uint8Array(init.buffer, init.byteOffset, init.byteLength).slice(), undefined];
  if (init instanceof ArrayBuffer) return [new Uint8Array(init.slice(0)), undefined];
  if (init instanceof Blob) return [init.takeBytes().slice(), init.type === "" ? undefined : init.type];
  if (init instanceof FormData) return multipartOf(init);
  if (init instanceof URLSearchParams) {
    return [encoder.encode(init.toString()), "application/x-www-form-urlencoded;charset=UTF-8"];
  }
  return [encoder.encode(String(init)), "text/plain;charset=UTF-8"];
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
