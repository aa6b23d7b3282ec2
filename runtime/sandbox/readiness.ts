import type { PodFault, PodLaunch } from "../pod/pod-runtime.ts";
import { memoryBytesMin } from "./bundle.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { explainExit, type NativePod } from "./native-pod.ts";
import { runtimeComplaint } from "./oci-runtime.ts";
import { askedOf, type PodRecord, writePodRecord } from "./pod-record.ts";
import { untilConnectable } from "./probe.ts";
import { endProgram } from "./program-end.ts";
import type { Start, StartTools } from "./start.ts";
import { earlyExitFault, lateStart } from "./start-fault.ts";

/** The reason by which a wait for readiness ends when it was too long. */
export const timedOut = new Error("the pod was not ready in time");

/**
 * Resolves when the pod listens on its port, and is recorded: a later agent takes it over.
 * `signal` gives it up, with the reason `timedOut` where that took too long.
 * @throws PodFault EXITED, START_TIMEOUT, IMAGE_INVALID
 */
export async function untilReady(
  launch: PodLaunch,
  start: Start,
  { tools, signal }: { readonly tools: StartTools; readonly signal: AbortSignal },
): Promise<NativePod> {
  const { kernel, clock, machine } = tools;
  const { names, files, address = "", shim, output } = start;
  const probed = { host: address, port: launch.port, gate: machine.rootless?.gate };
  if (shim === undefined || output === undefined) throw new Error("no hook launched the container");
  const ended = new AbortController();
  void shim.ended.then(() => ended.abort());
  try {
    await untilConnectable(probed, clock, AbortSignal.any([signal, ended.signal]));
  } catch (error) {
    const late = signal.aborted && signal.reason === timedOut;
    if (!ended.signal.aborted && !late) throw error;
    await endProgram({ names, ended: shim.ended }, 0, tools);
    await output.drained();
    throw ended.signal.aborted && !late
      ? await earlyExit(launch, { names, files, output }, kernel)
      : lateStart(launch, output);
  }
  const shimStart = (await kernel.processStart(shim.pid)) ?? "";
  const { uid, namespace, name, port, limits } = launch;
  const memoryBytes = Math.max(memoryBytesMin, limits.memoryBytes);
  const record: PodRecord = {
    ...{ uid, namespace, name, address, port, memoryBytes, shimPid: shim.pid, shimStart },
    ...askedOf(start.launch),
  };
  await writePodRecord(files, record);
  return {
    record,
    names,
    files,
    output,
    ended: shim.ended,
    exit: Promise.withResolvers(),
    memoryBytes,
    seen: { oomKills: 0, pidsRefused: 0 },
  };
}

async function earlyExit(
  launch: PodLaunch,
  { names, files, output }: Pick<NativePod, "names" | "files" | "output">,
  kernel: Kernel,
): Promise<PodFault> {
  const memoryBytes = Math.max(memoryBytesMin, launch.limits.memoryBytes);
  const exit = await explainExit({ names, files, memoryBytes, lastLines: output.lastLines() }, kernel.cgroups);
  return earlyExitFault(launch, exit, await runtimeComplaint(files.runtimeLog));
}
