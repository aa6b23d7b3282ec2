import { emptyQueue } from "./byte-queue.ts";
import type { ByteSink } from "./byte-sink.ts";
import type { Caller, GuestContext } from "./guest-context.ts";
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
    const { settings, requestHeaders } = this.#context;
    settings.log(this.#stream, bytes, requestHeaders);
  }

  flushed(): boolean {
    return true;
  }

  failure(): undefined {
    return undefined;
  }
}

/** wasi:cli/stdin@0.2. Streams that a guest asks for read from one input, as a program's descriptors do. */
export const cliStdin = (caller: Caller): object => ({
  getStdin: () => new InputStream(caller.context, caller.context.settings.stdin ?? emptyQueue()),
});

/** wasi:cli/stdout@0.2 */
export const cliStdout = (caller: Caller): object => ({
  getStdout: () => new OutputStream(caller.context, new LogSink(caller.context, "stdout")),
});

/** wasi:cli/stderr@0.2 */
export const cliStderr = (caller: Caller): object => ({
  getStderr: () => new OutputStream(caller.context, new LogSink(caller.context, "stderr")),
});
