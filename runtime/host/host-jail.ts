/** What one host process may use, all its pods together. */
export interface HostLimits {
  readonly memoryBytes: number;
  /** Cores. */
  readonly cpu: number;
  readonly pidsMax: number;
}

/** Puts host processes where the kernel holds them to their limits. The agent gives one when the machine allows it. */
export interface HostJail {
  /** Places the process, or changes the limits of one that is placed. */
  place(pid: number, limits: HostLimits): Promise<void>;
  /** Did the kernel kill this process because its memory was used up? Asked after its end. */
  wasOutOfMemory(pid: number): Promise<boolean>;
  /** The process is gone: nothing of its place is left. */
  release(pid: number): Promise<void>;
}

/** For machines without a cgroup of ours: V8's own limits are all there is. */
export const noHostJail: HostJail = {
  place: () => Promise.resolve(),
  wasOutOfMemory: () => Promise.resolve(false),
  release: () => Promise.resolve(),
};

// Node, V8 and the engine, the machine code of a few components, and four threads at rest with what they have parked (40 MB each at most).
const baseMemoryBytes = 320 * 1024 * 1024;
// Heap and stacks of a pod's thread, beside the guests' own memories.
const podMemoryBytes = 64 * 1024 * 1024;
// Threads of V8 and libuv; each pod is one more.
const basePids = 64;
// A blank process, and what is always left for the main thread and its watchdog.
const baseCpu = 1;

/** Limits of a process with these pods: the sum of theirs, and what the process itself needs. */
export function hostLimits(pods: readonly { readonly memoryBytes: number; readonly cpu: number }[]): HostLimits {
  return {
    memoryBytes: pods.reduce((sum, pod) => sum + pod.memoryBytes + podMemoryBytes, baseMemoryBytes),
    cpu: pods.reduce((sum, pod) => sum + pod.cpu, baseCpu),
    pidsMax: basePids + 2 * pods.length,
  };
}
