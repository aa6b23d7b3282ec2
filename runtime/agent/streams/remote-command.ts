import type { Readable, Writable } from "node:stream";
import { describeError } from "@shallop/sdk/internal";
import type { ContainerProcess, TerminalSize } from "../../pod/container-process.ts";
import { PodFault } from "../../pod/pod-runtime.ts";
import type { CommandStreams } from "./command-streams.ts";

/**
 * Joins a client's streams with a program's until the program has ended or the client has gone. `open` runs when the
 * client is there: what it throws is told to the client, as the program's exit code is.
 */
export async function runRemoteCommand(streams: CommandStreams, open: () => Promise<ContainerProcess>): Promise<void> {
  using _streams = streams;
  let process: ContainerProcess;
  try {
    process = await open();
  } catch (error) {
    // Not `return`: the streams would be gone before it is said.
    await streams.finish({ kind: "failed", message: messageOf(error) });
    return;
  }
  const leave = (): void => process.leave();
  streams.gone.addEventListener("abort", leave, { once: true });
  if (streams.gone.aborted) leave();
  streams.onResize(oneAtATime((size) => process.resize(size)));
  pass(streams.stdin, process.stdin);
  const outputs = [copied(process.stdout, streams.stdout), copied(process.stderr, streams.stderr)];
  try {
    const exitCode = await process.ended;
    await Promise.all(outputs);
    await streams.finish({ kind: "exited", exitCode });
  } catch (error) {
    await streams.finish({ kind: "failed", message: messageOf(error) });
  } finally {
    streams.gone.removeEventListener("abort", leave);
  }
}

/** In order, or the smaller of two could come last; what was overtaken while it waited is left out. */
function oneAtATime(resize: (size: TerminalSize) => Promise<void>): (size: TerminalSize) => void {
  let wanted: TerminalSize | undefined;
  let isBusy = false;
  const catchUp = async (): Promise<void> => {
    isBusy = true;
    while (wanted !== undefined) {
      const size = wanted;
      wanted = undefined;
      await resize(size).catch(() => undefined);
    }
    isBusy = false;
  };
  return (size) => {
    wanted = size;
    if (!isBusy) void catchUp();
  };
}

/** What a client is told of a failure: faults are for it, anything else is the agent's own. */
const messageOf = (error: unknown): string =>
  error instanceof PodFault ? error.message : `the node agent failed: ${describeError(error)}`;

function pass(from: Readable | undefined, to: Writable | undefined): void {
  // A program may end without reading what it is sent.
  to?.on("error", () => undefined);
  from?.on("error", () => undefined);
  if (from === undefined) return void to?.end();
  if (to === undefined) return void from.resume();
  from.pipe(to);
}

/** Resolves when all that was said has been handed on; output that nobody asked for is read and dropped. */
async function copied(from: Readable | undefined, to: Writable | undefined): Promise<void> {
  if (from === undefined) return;
  to?.on("error", () => undefined);
  try {
    for await (const chunk of from) {
      if (to === undefined || to.destroyed) continue;
      await new Promise<void>((resolve) => to.write(chunk, () => resolve()));
    }
  } catch {
    // Closed from this side, because nobody listens any more.
  }
}
