import type { AttachRequest, ContainerProcess } from "../pod/container-process.ts";
import { joinInput } from "./container-input.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { NativePod } from "./native-pod.ts";

/** Joins a container's own program: what it says from now on, and what it reads. */
export function attachTo(
  pod: Pick<NativePod, "files" | "output" | "exit" | "record" | "streams">,
  request: AttachRequest,
  kernel: Pick<Kernel, "resizeTerminal">,
): ContainerProcess {
  const { files, streams, record } = pod;
  const tap = pod.output.tap();
  const stdin = request.stdin ? joinInput(files, streams) : undefined;
  const hasTerminal = streams?.tty === true;
  return {
    stdin,
    stdout: tap.stdout,
    stderr: hasTerminal ? undefined : tap.stderr,
    ended: pod.exit.promise.then(({ exitCode }) => exitCode),
    resize: async (size) => {
      if (hasTerminal) await kernel.resizeTerminal({ shimPid: record.shimPid, pidFile: files.pidFile }, size);
    },
    leave: () => {
      tap.close();
      stdin?.destroy();
    },
  };
}
