import type * as ffiModule from "node:ffi";

type Ffi = typeof ffiModule;

/** CPU time of a thread of this process as its kernel has counted it, whatever the thread is at. Linux with node:ffi only. */
interface ThreadClock {
  /** The kernel's number of the thread that calls. */
  ownThread(): number;
  /** Milliseconds of processor that a thread of this process has used; undefined when there is none of this number. */
  cpuMs(thread: number): number | undefined;
}

const signatures = {
  gettid: { arguments: [], return: "int32" },
  clock_gettime: { arguments: ["int32", "pointer"], return: "int32" },
} as const;

/** Undefined where it cannot be read: another system, or a Node without node:ffi. Made once a thread. */
export const threadClock: ThreadClock | undefined = load();

function load(): ThreadClock | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const ffi = process.getBuiltinModule("node:ffi") as Ffi | undefined;
    return ffi && clockOf(ffi);
  } catch {
    return undefined;
  }
}

function clockOf(ffi: Ffi): ThreadClock {
  // Of the running program, so that it is the same library whatever its name is.
  const libc = ffi.dlopen(null, signatures).functions;
  const timespec = new BigInt64Array(2);
  const address = ffi.getRawPointer(timespec);
  return {
    ownThread: () => libc.gettid(),
    cpuMs: (thread) => {
      if (libc.clock_gettime(clockOfThread(thread), address) !== 0) return undefined;
      return Number(timespec[0]) * 1000 + Number(timespec[1]) / 1e6;
    },
  };
}

/** As the kernel numbers them (CPUCLOCK_PERTHREAD with CPUCLOCK_SCHED): nobody has a function for a thread that is not pthread's own. */
const clockOfThread = (thread: number): number => (~thread << 3) | 4 | 2;
