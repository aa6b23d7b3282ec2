import { once } from "node:events";
import type { Writable } from "node:stream";
import { describeError, errorCode } from "@shallop/sdk/internal";
import type { Call } from "./call.ts";

/**
 * An answer of one JSON object a line, as Docker tells of progress. What goes wrong after its begin is told as its last line:
 * the status has gone out by then.
 */
export class JsonStream {
  readonly #output: Writable;
  readonly #signal: AbortSignal;

  constructor(call: Call) {
    this.#output = call.stream("application/json");
    this.#signal = call.signal;
  }

  /** Says it; false when the client is behind and it is better to wait (`ready`). */
  write(line: object): boolean {
    return this.#signal.aborted || this.#output.write(`${JSON.stringify(line)}\r\n`);
  }

  /** Resolves when the client has read most of what was said. */
  async ready(): Promise<void> {
    if (this.#output.writableNeedDrain) await once(this.#output, "drain", { signal: this.#signal });
  }

  fail(error: unknown): void {
    const message = describeError(error);
    const code = exitCodeIn(error);
    this.write({ errorDetail: { ...(code === undefined ? {} : { code }), message }, error: message });
  }

  end(): void {
    this.#output.end();
  }
}

/** Of a RUN that has failed: clients end with it, too. The builder is another process, and says it in words. */
const exitCodeIn = (error: unknown): number | undefined =>
  errorCode(error) === "RUN_FAILED" && error instanceof Error
    ? Number(/it ended with code (\d{1,3})/.exec(error.message)?.[1] ?? 1)
    : undefined;

/** Streams what `act` says, its failure as the last line. */
export async function streaming(call: Call, act: (stream: JsonStream) => Promise<void>): Promise<void> {
  const stream = new JsonStream(call);
  try {
    await act(stream);
  } catch (error) {
    if (!call.signal.aborted) stream.fail(error);
  } finally {
    stream.end();
  }
}
