import type { IncomingBody, OutgoingBody } from "wazi:http/types@0.2.10";
import type { OutputStream } from "wazi:io/streams@0.2.10";
import { ReadableStream } from "web-streams-polyfill";
import type { Body } from "../web/body.ts";
import { ready } from "./loop.ts";
import { payloadOf, tagOf } from "./payload.ts";

/** One read of a body: large enough to be few calls, small beside the memory of a guest. */
const readBytesMax = 64 * 1024;

/** The bytes of an incoming body as a stream that reads only when it is read. */
export function readableOf(body: IncomingBody): ReadableStream<Uint8Array> {
  const input = body.stream();
  const close = (): void => {
    input[Symbol.dispose]();
    body[Symbol.dispose]();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const chunk = readSome(() => input.read(readBytesMax));
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

function readSome(read: () => Uint8Array): Uint8Array | "closed" {
  try {
    return read();
  } catch (error) {
    // `stream-error`: closed is the end of the body; anything else means that the sender is gone.
    if (tagOf(payloadOf(error)) === "closed") return "closed";
    throw new TypeError("the body broke off: the other side is gone", { cause: error });
  }
}

/** Writes a message's body, as fast as the other side takes it. The caller finishes `body`. */
export async function writeBody(body: OutgoingBody, message: Body): Promise<void> {
  const output = body.write();
  try {
    const bytes = message.takeBytes();
    if (bytes !== undefined) await writeAll(output, bytes);
    else await writeStream(output, message.body);
    output.flush();
  } finally {
    output[Symbol.dispose]();
  }
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
  let offset = 0;
  while (offset < bytes.length) {
    const permit = output.checkWrite();
    if (permit === 0) {
      await ready(output.subscribe());
      continue;
    }
    const end = Math.min(bytes.length, offset + permit);
    output.write(bytes.subarray(offset, end));
    offset = end;
  }
}
