import { describeError, errorCode } from "@shallop/sdk/internal";
import type { LocalImage } from "../image/local-image.ts";
import { type PodExit, PodFault, type PodLaunch } from "../pod/pod-runtime.ts";
import type { PodOutput } from "./pod-output.ts";

/** An image that the native runtime was given, and that is none of its. */
export const notNative = (image: LocalImage): PodFault =>
  new PodFault(
    "UNSUPPORTED",
    `image ${image.digest} is a ${image.variant} variant; only native ones run as containers`,
  );

const titleOf = (launch: PodLaunch): string => `${launch.namespace}/${launch.name}`;

/** START_TIMEOUT, with what the pod said last. */
export function lateStart(launch: PodLaunch, output: PodOutput): PodFault {
  const lines = output.lastLines();
  const said = lines === "" ? "It has written nothing." : `Its last lines: ${lines}`;
  const message = `${titleOf(launch)} does not listen on port ${launch.port} after ${launch.limits.startTimeoutMs} ms. ${said}`;
  return new PodFault("START_TIMEOUT", message);
}

// What runc and crun say when a program cannot be run at all: it is not there, not executable, not for this machine.
// A directory crun cannot open as an executable, with EPERM.
const unrunnable =
  /executable file .*not found|no such file or directory|permission denied|exec format error|not a directory|is a directory|open executable/i;

/** What the runtime complains of, where the program cannot be run at all. */
export const isUnrunnable = (complaint: string | undefined): complaint is string =>
  complaint !== undefined && unrunnable.test(complaint);

/** IMAGE_INVALID where the runtime complains that the program cannot be run at all, EXITED otherwise. */
export function earlyExitFault(launch: PodLaunch, exit: PodExit, complaint: string | undefined): PodFault {
  if (isUnrunnable(complaint)) {
    return new PodFault("IMAGE_INVALID", `${titleOf(launch)} cannot run image ${launch.image.digest}: ${complaint}`);
  }
  const message = `${titleOf(launch)} ended before it listened on port ${launch.port}: ${exit.reason}, exit code ${exit.exitCode}. ${exit.message}`;
  return new PodFault("EXITED", message.trim());
}

/** What any error of a start is to who asked for the pod: NO_CAPACITY where the machine is out of something, else UNSUPPORTED. */
export function startFault(launch: PodLaunch, error: unknown): PodFault {
  if (error instanceof PodFault) return error;
  const code = errorCode(error);
  const reason = `cannot start ${titleOf(launch)} natively: ${describeError(error)}`;
  if (code === "ENOSPC" || code === "EMFILE" || code === "ENOMEM") {
    return new PodFault("NO_CAPACITY", reason, { cause: error, retryable: true });
  }
  return new PodFault("UNSUPPORTED", reason, { cause: error });
}
