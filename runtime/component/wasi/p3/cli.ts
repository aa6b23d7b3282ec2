import type { FutureReader, StreamReader } from "../../abi/stream.ts";
import { emptyQueue } from "../byte-queue.ts";
import { LogSink } from "../cli-stdio.ts";
import type { Caller } from "../guest-context.ts";
import type { Result } from "../result.ts";
import { ByteReader } from "./byte-reader.ts";
import { pourAll } from "./pour.ts";
import { futureOf } from "./waiting.ts";

/** `wasi:cli/types.error-code`. */
type CliErrorCode = "io" | "illegal-byte-sequence" | "pipe";
type Ending = Promise<Result<undefined, CliErrorCode>>;

/** wasi:cli/environment@0.3: what the launch says, and nothing of the node's own environment. */
export const cliEnvironment = (caller: Caller): object => ({
  getEnvironment: () => caller.context.settings.environment,
  getArguments: () => caller.context.settings.arguments,
  getInitialCwd: () => caller.context.settings.initialCwd,
});

/** wasi:cli/types@0.3 has a type and no function. */
export const cliTypes = (_caller: Caller): object => ({});

/** wasi:cli/stdin@0.3. Streams that a guest asks for read from one input, as a program's descriptors do. */
export function cliStdin(caller: Caller): object {
  const readViaStream = (): [StreamReader<number>, Ending] => {
    const { context } = caller;
    const source = context.settings.stdin ?? emptyQueue();
    const reader = new ByteReader<CliErrorCode>(context, { source, release: () => undefined, codeOf: () => "io" });
    return [reader, reader.outcome];
  };
  return { readViaStream };
}

/** wasi:cli/stdout@0.3 */
export const cliStdout = (caller: Caller): object => output(caller, "stdout");

/** wasi:cli/stderr@0.3 */
export const cliStderr = (caller: Caller): object => output(caller, "stderr");

const output = (caller: Caller, stream: "stdout" | "stderr"): object => ({
  writeViaStream: (data: StreamReader<number>): FutureReader<Result<undefined, CliErrorCode>> =>
    futureOf(
      pourAll<CliErrorCode>(caller.context, data, {
        sink: new LogSink(caller.context, stream),
        release: () => undefined,
        codeOf: ({ kind }) => (kind === "closed" ? "pipe" : "io"),
      }),
    ),
});
