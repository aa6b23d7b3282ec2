import { type ContainerLimits, PodFault, type PodObserver, type PodShares } from "../pod/pod-runtime.ts";
import { memoryBytesMin, pidsMin } from "./bundle.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { NativePod } from "./native-pod.ts";

// Changes of a container that runs, by its cgroup: the runtimes know of none that they would have to be told.

/** @throws PodFault NO_CAPACITY when it uses more memory than it is to have: it would be killed at once */
export async function resizeContainer(
  native: Pick<NativePod, "names" | "memoryBytes">,
  { container, cpu, memoryBytes, pidsMax }: ContainerLimits,
  { cgroups }: Pick<Kernel, "cgroups">,
): Promise<void> {
  const wanted = Math.max(memoryBytesMin, memoryBytes);
  const { names } = native;
  const used = (await cgroups.usage(names.runtimeCgroup)).memoryBytes;
  if (used > wanted) {
    const why = `it uses ${String(used)} bytes of memory, which is more than ${String(wanted)}`;
    throw new PodFault("NO_CAPACITY", `container ${container} cannot be resized: ${why}`);
  }
  await cgroups.resize(names.runtimeCgroup, {
    ...{ cpu, memoryBytes: wanted },
    ...(pidsMax === undefined ? {} : { pidsMax: Math.max(pidsMin, pidsMax) }),
  });
  native.memoryBytes = wanted;
}

/** Stops what runs in the container where it is, or lets it go on. */
export const pauseContainer = (
  { names }: Pick<NativePod, "names">,
  paused: boolean,
  { cgroups }: Pick<Kernel, "cgroups">,
): Promise<void> => cgroups.freeze(names.runtimeCgroup, paused);

/** Gives a pod its part of processors' and disks' time; what the kernel has not is noticed, and the pod runs without. */
export async function sharePod(
  path: string,
  { ioWeight, cpuShares }: PodShares,
  { cgroups }: Pick<Kernel, "cgroups">,
  noticed: (notice: Parameters<PodObserver["noticed"]>[1]) => void = () => undefined,
): Promise<void> {
  const without = (reason: string, what: string): void =>
    noticed({
      ...{ type: "Warning", reason },
      message: `The pod asks for a share of ${what}' time, and this machine's kernel gives none: it runs without.`,
    });
  if (ioWeight !== undefined && !(await cgroups.weigh(path, ioWeight))) without("NoIoWeight", "disks");
  if (cpuShares !== undefined && !(await cgroups.shareProcessors(path, cpuShares)))
    without("NoCpuShares", "processors");
}

/**
 * The processors that a pod which begins can be held to: those that it asks for, or, where nobody hands that down to this node,
 * undefined, which is noticed; the runtimes would refuse it.
 */
export function processorsOf(
  { cpus }: PodShares,
  { cgroups }: Pick<Kernel, "cgroups">,
  noticed: (notice: Parameters<PodObserver["noticed"]>[1]) => void = () => undefined,
): string | undefined {
  if (cpus === undefined || cgroups.layout.rootByController.has("cpuset")) return cpus;
  const message = `The pod asks for the processors ${cpus}, and this node has no cgroup controller cpuset: it runs on all.`;
  noticed({ type: "Warning", reason: "NoCpuset", message });
  return undefined;
}

/** @throws PodFault UNSUPPORTED when the machine has not all of these processors, or cannot hold it to them */
export async function confineContainer(
  { names }: Pick<NativePod, "names">,
  { cpus }: PodShares,
  { cgroups }: Pick<Kernel, "cgroups">,
): Promise<void> {
  if (cpus === undefined || (await cgroups.confine(names.runtimeCgroup, cpus))) return;
  throw new PodFault("UNSUPPORTED", `the pod cannot be held to the processors ${cpus} of this machine`);
}
