import type { IncomingBody, OutgoingBody } from "wazi:http/types@0.2.10";
import type { InputStream, OutputStream } from "wazi:io/streams@0.2.10";
import { ReadableStream } from "web-streams-polyfill";
import { type Body, concat, ReceivedBody } from "../web/body.ts";
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
    const { input, close } = opened(this.#consume());
    const chunks: Uint8Array[] = [];
    for (;;) {
      const chunk = readSome(input);
      if (chunk === "closed") break;
      if (chunk.length > 0) chunks.push(chunk);
      else await ready(input.subscribe());
    }
    close();
    return concat(chunks);
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

const nothing = new Uint8Array();

/**
 * Writes a message's body, as fast as the other side takes it. The caller finishes `body`.
 * @returns a promise when it has to wait
 */
export function writeBody(body: OutgoingBody, message: Body): Promise<void> | undefined {
  const output = body.write();
  const bytes = message.hasBody ? message.takeBytes() : nothing;
  const written = bytes === undefined ? 0 : writeNow(output, bytes);
  if (bytes === undefined || written < bytes.length) return writeSlowly(output, message, bytes?.subarray(written));
  output.flush();
  output[Symbol.dispose]();
  return undefined;
}

async function writeSlowly(output: OutputStream, message: Body, bytes: Uint8Array | undefined): Promise<void> {
  try {
    if (bytes !== undefined) await writeAll(output, bytes);
    else await writeStream(output, message.body);
    output.flush();
  } finally {
    output[Symbol.dispose]();
  }
}

/** @returns how much the other side has taken at once */
function writeNow(output: OutputStream, bytes: Uint8Array): number {
  let offset = 0;
  while (offset < bytes.length) {
    const permit = output.checkWrite();
    if (permit === 0) break;
    const end = Math.min(bytes.length, offset + permit);
    output.write(offset === 0 && end === bytes.length ? bytes : bytes.subarray(offset, end));
    offset = end;
  }
  return offset;
}

async function writeStream(output: OutputStream, stream: ReadableStream<Uint8Array> | null): Promise<void> {
  if (stream === null) return;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (!(value instanceof Uint8Array)) throw new TypeError("a body stream must give Uint8Array chunks");
    await writeAll(output, value);
    // What a stream gives now, the client shall see now: server-sent events, progress.
    output.flush();
  }
}

async function writeAll(output: OutputStream, bytes: Uint8Array): Promise<void> {
  let offset = writeNow(output, bytes);
  while (offset < bytes.length) {
    await ready(output.subscribe());
    offset += writeNow(output, bytes.subarray(offset));
  }
}
