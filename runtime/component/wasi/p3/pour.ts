import type { StreamReader } from "../../abi/stream.ts";
import { type ByteSink, type SinkFailure, whenFlushed } from "../byte-sink.ts";
import type { GuestContext } from "../guest-context.ts";
import { done, err, type Result } from "../result.ts";
import { untilAnyReady } from "../waitable.ts";

/**
 * All that a guest writes to a stream goes to `sink`, as fast as that takes it. Resolves when it has been written, or with
 * what the sink failed of; the guest's end is dropped then. Rejects when the guest fails.
 */
export async function pour(
  context: GuestContext,
  reader: StreamReader<number>,
  sink: ByteSink,
): Promise<SinkFailure | undefined> {
  // Also one that fails while the guest has nothing to write.
  const undo = sink.subscribe(() => {
    if (sink.failure() !== undefined) reader.drop();
  });
  try {
    while (sink.failure() === undefined) {
      const capacity = sink.capacity();
      if (capacity <= 0) {
        await untilAnyReady(context, [sink]);
        continue;
      }
      const reading = reader.read(capacity);
      const bytes = reading instanceof Promise ? await reading : reading;
      if (bytes === undefined) break;
      if (sink.failure() === undefined) sink.write(bytes as Uint8Array);
    }
    reader.drop();
    if (!sink.flushed()) await whenFlushed(context, sink);
    return sink.failure();
  } finally {
    undo();
  }
}

/** The future of a function that takes a stream. */
export async function pourAll<Code>(
  context: GuestContext,
  reader: StreamReader<number>,
  target: {
    readonly sink: ByteSink;
    readonly release: () => void;
    /** What the interface says about a sink that has failed. */
    readonly codeOf: (failure: SinkFailure) => Code;
  },
): Promise<Result<undefined, Code>> {
  try {
    const failure = await pour(context, reader, target.sink);
    return failure === undefined ? done : err(target.codeOf(failure));
  } catch {
    // The guest has failed: there is nobody left to be told.
    return await new Promise(() => undefined);
  } finally {
    target.release();
  }
}
