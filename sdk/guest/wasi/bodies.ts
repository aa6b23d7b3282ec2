import type { IncomingBody, OutgoingBody } from "wazi:http/types@0.2.10";
import type { InputStream, OutputStream } from "wazi:io/streams@0.2.10";
import { ReadableStream } from "web-streams-polyfill";
import { type Body, concat, ReceivedBody } from "../web/body.ts";
import { TextDecoder } from "../web/text-encoding.ts";
import { bytesOf } from "../web/utf8.ts";
import { ready } from "./loop.ts";
import { payloadOf, tagOf } from "./payload.ts";

/** One read of a body: large enough to be few calls, small beside the memory of a guest. */
const readBytesMax = 64 * 1024;

/** A body that comes: nothing is asked of the host before somebody reads it, and nothing is a stream that is read whole. */
export class IncomingBytes extends ReceivedBody {
  readonly #consume: () => IncomingBody;

  constructor(consume: () => IncomingBody) {
    super();
    this.#consume = consume;
  }

  override async bytes(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    await this.#each((chunk) => chunks.push(chunk));
    return concat(chunks);
  }

  /** Each piece becomes text when it comes, so that the bytes are never there as a whole beside it. */
  override async text(): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    await this.#each((chunk) => (text += decoder.decode(chunk, { stream: true })));
    return text + decoder.decode();
  }

  /** Reads only when it is read. */
  override stream(): ReadableStream<Uint8Array> {
    const { input, close } = opened(this.#consume());
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          for (;;) {
            const chunk = readSome(input);
            if (chunk === "closed") {
              close();
              return controller.close();
            }
            if (chunk.length > 0) return controller.enqueue(chunk);
            await ready(input.subscribe());
          }
        },
        cancel: close,
      },
      { highWaterMark: 0 },
    );
  }

  async #each(take: (chunk: Uint8Array) => void): Promise<void> {
    const { input, close } = opened(this.#consume());
    for (;;) {
      const chunk = readSome(input);
      if (chunk === "closed") return close();
      if (chunk.length > 0) take(chunk);
      else await ready(input.subscribe());
    }
  }
}

function opened(body: IncomingBody): { readonly input: InputStream; readonly close: () => void } {
  const input = body.stream();
  const close = (): void => {
    input[Symbol.dispose]();
    body[Symbol.dispose]();
  };
  return { input, close };
}

function readSome(input: InputStream): Uint8Array | "closed" {
  try {
    return input.read(readBytesMax);
  } catch (error) {
    // `stream-error`: closed is the end of the body; anything else means that the sender is gone.
    if (tagOf(payloadOf(error)) === "closed") return "closed";
    throw new TypeError("the body broke off: the other side is gone", { cause: error });
  }
}

/**
 * Writes a message's body, as fast as the other side takes it. The caller finishes `body`, and with that what is under way leaves.
 * @returns a promise when it has to wait
 */
export function writeBody(body: OutgoingBody, message: Body): Promise<void> | undefined {
  const output = body.write();
  const known = message.takeContent();
  if (typeof known === "string" && known.length <= pieceUnits && writeText(output, known)) return undefined;
  const content = new Pieces(known);
  let isLater = false;
  try {
    // What is left of a body after its content is a stream.
    isLater = message.hasBody || !writeNow(output, content);
    return isLater ? writeSlowly(output, content, message.body) : undefined;
  } finally {
    if (!isLater) output[Symbol.dispose]();
  }
}

/** A text of one piece, which is most answers. @returns false when the other side does not take it at once */
function writeText(output: OutputStream, text: string): boolean {
  if (text !== "") {
    const bytes = bytesOf(text);
    if (output.checkWrite() < bytes.length) return false;
    output.write(bytes);
  }
  output[Symbol.dispose]();
  return true;
}

async function writeSlowly(output: OutputStream, content: Pieces, stream: Body["body"]): Promise<void> {
  try {
    await writeAll(output, content);
    if (stream !== null) await writeStream(output, stream);
  } finally {
    output[Symbol.dispose]();
  }
}

/** So much text becomes bytes at once: beside a long text there is never the whole of its bytes. */
const pieceUnits = 32 * 1024;

/** What is still to be written. */
class Pieces {
  /** Of the text only what has been made bytes of. */
  bytes: Uint8Array = nothing;
  readonly #text: string = "";
  #at = 0;

  constructor(content: string | Uint8Array = nothing) {
    if (typeof content === "string") this.#text = content;
    else this.bytes = content;
  }

  /** Makes sure that there are bytes. @returns false when all is written */
  fill(): boolean {
    if (this.bytes.length > 0) return true;
    if (this.#at >= this.#text.length) return false;
    let end = this.#at + pieceUnits;
    // A pair of surrogates is one character.
    if (end < this.#text.length && /[\ud800-\udbff]/.test(this.#text.charAt(end - 1))) end += 1;
    this.bytes = bytesOf(this.#text.slice(this.#at, end));
    this.#at = end;
    return true;
  }
}

const nothing = new Uint8Array();

/** @returns whether the other side has taken everything at once */
function writeNow(output: OutputStream, content: Pieces): boolean {
  while (content.fill()) {
    const permit = output.checkWrite();
    if (permit === 0) return false;
    const { bytes } = content;
    if (permit >= bytes.length) {
      output.write(bytes);
      content.bytes = nothing;
    } else {
      output.write(bytes.subarray(0, permit));
      content.bytes = bytes.subarray(permit);
    }
  }
  return true;
}

async function writeStream(output: OutputStream, stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (!(value instanceof Uint8Array)) throw new TypeError("a body stream must give Uint8Array chunks");
    await writeAll(output, new Pieces(value));
    // What a stream gives now, the client shall see now: server-sent events, progress.
    output.flush();
  }
}

async function writeAll(output: OutputStream, content: Pieces): Promise<void> {
  while (!writeNow(output, content)) await ready(output.subscribe());
}
