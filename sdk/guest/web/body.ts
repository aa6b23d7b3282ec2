import { ReadableStream } from "web-streams-polyfill";
import { Blob } from "./blob.ts";
import { FormData } from "./form-data.ts";
import { formDataOf, multipartOf } from "./multipart.ts";
import type { Headers } from "./headers.ts";
import { TextDecoder } from "./text-encoding.ts";
import { bytesOf } from "./utf8.ts";

export type BodyInit =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | FormData
  | URLSearchParams
  | ReadableStream<Uint8Array>;

/** A body that comes from the other side, of which nothing has been read. One of these is called, and once. */
export abstract class ReceivedBody {
  abstract text(): Promise<string>;
  abstract bytes(): Promise<Uint8Array>;
  abstract stream(): ReadableStream<Uint8Array>;
}

/** A text that is of a type of its own. */
export class TypedText {
  readonly text: string;
  readonly type: string;

  constructor(text: string, type: string) {
    this.text = text;
    this.type = type;
  }
}

/** Who has a body that is asked for only when somebody wants it. */
export interface BodyOwner {
  readonly body: ReceivedBody | null;
}

/** https://fetch.spec.whatwg.org/#body-mixin. What is known stays what it is; a stream is made only when asked for. */
export abstract class Body {
  #kept: string | Uint8Array | ReceivedBody | undefined;
  /** Has the content, until that is asked for. */
  #owner: BodyOwner | undefined;
  #stream: ReadableStream<Uint8Array> | null = null;
  #used = false;
  #type: string | undefined;

  /** @param owner in place of a body */
  protected constructor(init: BodyInit | ReceivedBody | TypedText | null | undefined, owner?: BodyOwner) {
    if (owner !== undefined) {
      this.#owner = owner;
      return;
    }
    if (init === null || init === undefined) return;
    if (typeof init === "string") {
      this.#kept = init;
      this.#type = textType;
    } else if (init instanceof TypedText) {
      this.#kept = init.text;
      this.#type = init.type;
    } else if (init instanceof ReceivedBody) {
      this.#kept = init;
    } else if (init instanceof ReadableStream) {
      if (init.locked || isDisturbed(init)) throw new TypeError("the stream for a body is in use already");
      this.#stream = init;
    } else {
      [this.#kept, this.#type] = extract(init);
    }
  }

  abstract get headers(): Headers;

  /** The content-type that the body brings, for headers that say none. */
  protected static typeOf(body: Body): string | undefined {
    return body.#type;
  }

  get #content(): string | Uint8Array | ReceivedBody | undefined {
    const owner = this.#owner;
    if (owner === undefined) return this.#kept;
    this.#owner = undefined;
    return (this.#kept = owner.body ?? undefined);
  }

  get hasBody(): boolean {
    return this.#content !== undefined || this.#stream !== null;
  }

  get body(): ReadableStream<Uint8Array> | null {
    const content = this.#content;
    if (content !== undefined) {
      this.#kept = undefined;
      this.#stream = content instanceof ReceivedBody ? content.stream() : streamOf(toBytes(content));
    }
    return this.#stream;
  }

  get bodyUsed(): boolean {
    return this.#used || (this.#stream !== null && isDisturbed(this.#stream));
  }

  /** The host's side: the whole if it is known, used up by this call. */
  takeContent(): string | Uint8Array | undefined {
    const content = this.#content;
    return content instanceof ReceivedBody ? undefined : this.#use(content);
  }

  /** For another message, whose body this becomes: used up by this call. */
  protected static move(body: Body): Uint8Array | ReceivedBody | ReadableStream<Uint8Array> | null {
    const content = body.#use(body.#content);
    return (typeof content === "string" ? bytesOf(content) : content) ?? body.body;
  }

  async bytes(): Promise<Uint8Array> {
    this.#checkReadable();
    const content = this.#use(this.#content);
    if (content !== undefined) return content instanceof ReceivedBody ? content.bytes() : toBytes(content);
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
    const { buffer, byteOffset, byteLength } = await this.bytes();
    const isWhole = byteLength === buffer.byteLength;
    return (isWhole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer;
  }

  async text(): Promise<string> {
    this.#checkReadable();
    const content = this.#content;
    if (content instanceof ReceivedBody) return this.#use(content).text();
    return new TextDecoder().decode(await this.bytes());
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text()) as unknown;
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.bytes()], { type: this.headers.get("content-type") ?? "" });
  }

  async formData(): Promise<FormData> {
    return formDataOf(await this.bytes(), this.headers.get("content-type") ?? "");
  }

  /** For `clone`: both read the same from here on. */
  protected tee(): BodyInit | null {
    this.#checkReadable();
    const content = this.#content;
    if (content !== undefined && !(content instanceof ReceivedBody)) return content;
    const stream = this.body;
    if (stream === null) return null;
    const [mine, theirs] = stream.tee();
    this.#stream = mine;
    return theirs;
  }

  #use<Content>(content: Content): Content {
    if (content === undefined) return content;
    this.#used = true;
    this.#kept = undefined;
    return content;
  }

  #checkReadable(): void {
    if (this.bodyUsed) throw new TypeError("the body was read already");
    if (this.#stream?.locked === true) throw new TypeError("the body is being read through a reader of its stream");
  }
}

/** Whether a stream was ever read or cancelled. The standard asks this of a stream; the library keeps it in a field. */
const isDisturbed = (stream: ReadableStream): boolean => Reflect.get(stream, "_disturbed") === true;

const toBytes = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? bytesOf(content) : content;

/** Of a body that is text. */
export const textType = "text/plain;charset=UTF-8";

function extract(init: Exclude<BodyInit, string | ReadableStream>): [string | Uint8Array, string | undefined] {
  if (ArrayBuffer.isView(init))
    return [new Uint8Array(init.buffer, init.byteOffset, init.byteLength).slice(), undefined];
  if (init instanceof ArrayBuffer) return [new Uint8Array(init.slice(0)), undefined];
  if (init instanceof Blob) return [init.takeBytes().slice(), init.type === "" ? undefined : init.type];
  if (init instanceof FormData) return multipartOf(init);
  if (init instanceof URLSearchParams) {
    return [init.toString(), "application/x-www-form-urlencoded;charset=UTF-8"];
  }
  return [String(init), textType];
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const whole = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
