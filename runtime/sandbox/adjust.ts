import { type ContainerLimits, PodFault } from "../pod/pod-runtime.ts";
import { memoryBytesMin } from "./bundle.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { NativePod } from "./native-pod.ts";

// Changes of a container that runs, by its cgroup: the runtimes know of none that they would have to be told.

/** @throws PodFault NO_CAPACITY when it uses more memory than it is to have: it would be killed at once */
export async function resizeContainer(
  native: Pick<NativePod, "names" | "memoryBytes">,
  { container, cpu, memoryBytes }: ContainerLimits,
  { cgroups }: Pick<Kernel, "cgroups">,
): Promise<void> {
  const wanted = Math.max(memoryBytesMin, memoryBytes);
  const { names } = native;
  const used = (await cgroups.usage(names.runtimeCgroup)).memoryBytes;
  if (used > wanted) {
    const why = `it uses ${String(used)} bytes of memory, which is more than ${String(wanted)}`;
    throw new PodFault("NO_CAPACITY", `container ${container} cannot be resized: ${why}`);
  }
  await cgroups.resize(names.runtimeCgroup, { cpu, memoryBytes: wanted });
  native.memoryBytes = wanted;
}

/** Stops what runs in the container where it is, or lets it go on. */
export const pauseContainer = (
  { names }: Pick<NativePod, "names">,
  paused: boolean,
  { cgroups }: Pick<Kernel, "cgroups">,
): Promise<void> => cgroups.freeze(names.runtimeCgroup, paused);
