import { emptyQueue } from "./byte-queue.ts";
import type { ByteSink } from "./byte-sink.ts";
import type { GuestContext } from "./guest-context.ts";
import { InputStream } from "./input-stream.ts";
import { OutputStream } from "./output-stream.ts";

/** The pod's log takes everything at once; what is too much is counted and dropped there, never waited for. */
export class LogSink implements ByteSink {
  readonly #context: GuestContext;
  readonly #stream: "stdout" | "stderr";

  constructor(context: GuestContext, stream: "stdout" | "stderr") {
    this.#context = context;
    this.#stream = stream;
  }

  ready(): boolean {
    return true;
  }

  subscribe(): () => void {
    return () => undefined;
  }

  capacity(): number {
    return this.#context.settings.bounds.bufferBytesMax;
  }

  write(bytes: Uint8Array): void {
    this.#context.settings.log(this.#stream, bytes);
  }

  flushed(): boolean {
    return true;
  }

  failure(): undefined {
    return undefined;
  }
}

/** wasi:cli/stdin@0.2. Streams that a guest asks for read from one input, as a program's descriptors do. */
export function cliStdin(context: GuestContext): object {
  const queue = context.settings.stdin ?? emptyQueue();
  return { getStdin: () => new InputStream(context, queue) };
}

/** wasi:cli/stdout@0.2 */
export const cliStdout = (context: GuestContext): object => ({
  getStdout: () => new OutputStream(context, new LogSink(context, "stdout")),
});

/** wasi:cli/stderr@0.2 */
export const cliStderr = (context: GuestContext): object => ({
  getStderr: () => new OutputStream(context, new LogSink(context, "stderr")),
});
