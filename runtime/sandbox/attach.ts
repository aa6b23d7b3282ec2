import type { ContainerProcess } from "../pod/container-process.ts";
import type { NativePod } from "./native-pod.ts";

/** Joins a container's own program: its output from now on. */
export function attachTo(pod: NativePod): ContainerProcess {
  const tap = pod.output.tap();
  return {
    stdin: undefined,
    stdout: tap.stdout,
    stderr: tap.stderr,
    ended: pod.exit.promise.then(({ exitCode }) => exitCode),
    resize: () => Promise.resolve(),
    leave: () => tap.close(),
  };
}
