import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { ContainerStreams } from "../pod/containers/container-launch.ts";
import type { Kernel, ShimInput } from "./kernel/kernel.ts";
import type { PodFiles } from "./pod-files.ts";

// A container's standard input is a FIFO. It outlives the agent, so it must not end when the agent's end of it does: the
// container holds a writing end itself; or, where the input is to end some day, a process beside it does until then.

/** Does the input end with that of the first who joins? */
const ends = ({ stdin, stdinOnce, tty }: ContainerStreams): boolean => stdin && stdinOnce && !tty;

/** The FIFOs that there have to be for a container's input. */
export function inputFifos({ stdin, stdinGate }: PodFiles, streams: ContainerStreams | undefined): readonly string[] {
  if (streams?.stdin !== true) return [];
  return ends(streams) ? [stdin, stdinGate] : [stdin];
}

/** Opens what a container's shim is to have for its input; undefined: nothing. */
export async function openInput(
  files: PodFiles,
  streams: ContainerStreams | undefined,
  kernel: Pick<Kernel, "openFifoForReading" | "openFifoForWriting">,
): Promise<(ShimInput & AsyncDisposable) | undefined> {
  if (streams?.stdin !== true) return undefined;
  const both = await kernel.openFifoForWriting(files.stdin);
  if (!ends(streams)) return { stdinFd: both.fd, [Symbol.asyncDispose]: () => both[Symbol.asyncDispose]() };
  const reading = await kernel.openFifoForReading(files.stdin);
  return {
    stdinFd: reading.fd,
    held: { fd: both.fd, gate: files.stdinGate },
    [Symbol.asyncDispose]: async () => {
      await both[Symbol.asyncDispose]();
      await reading[Symbol.asyncDispose]();
    },
  };
}

/** Somebody's way into a container's input. Undefined: it reads none, or has ended. Its end is the input's, as `streams` say. */
export function joinInput(files: PodFiles, streams: ContainerStreams | undefined): Writable | undefined {
  if (streams?.stdin !== true) return undefined;
  const fd = openToWrite(files.stdin);
  if (fd === undefined) return undefined;
  const input = new Socket({ fd, readable: false, writable: true });
  // The program may have closed it, or ended.
  input.on("error", () => undefined);
  input.once("finish", () => input.destroy());
  if (ends(streams)) input.once("close", () => passGate(files.stdinGate));
  return input;
}

/** Undefined when nobody reads. */
function openToWrite(path: string): number | undefined {
  try {
    // NONBLOCK: without a reader this fails instead of waiting for one.
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/** Once the gate was passed, nobody waits at it any more: that is no error. */
function passGate(path: string): void {
  const fd = openToWrite(path);
  if (fd !== undefined) closeSync(fd);
}
