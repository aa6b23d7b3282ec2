import { Libc } from "./libc.ts";

/** CPU time of a thread of this process as its kernel has counted it, whatever the thread is at. Linux with node:ffi only. */
interface ThreadClock {
  /** The kernel's number of the thread that calls. */
  ownThread(): number;
  /** Milliseconds of processor that a thread of this process has used; undefined when there is none of this number. */
  cpuMs(thread: number): number | undefined;
}

/** Undefined where it cannot be read: another system, or a Node without node:ffi. Made once a thread. */
export const threadClock: ThreadClock | undefined = load();

function load(): ThreadClock | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return clockOf(Libc.load());
  } catch {
    return undefined;
  }
}

function clockOf(libc: Libc): ThreadClock {
  const timespec = new BigInt64Array(2);
  const address = libc.addressOf(new Uint8Array(timespec.buffer));
  const { gettid, clock_gettime } = libc.functions;
  return {
    ownThread: () => gettid(),
    cpuMs: (thread) => {
      if (clock_gettime(clockOfThread(thread), address) !== 0) return undefined;
      return Number(timespec[0]) * 1000 + Number(timespec[1]) / 1e6;
    },
  };
}

/** As the kernel numbers them (CPUCLOCK_PERTHREAD with CPUCLOCK_SCHED): nobody has a function for a thread that is not pthread's own. */
const clockOfThread = (thread: number): number => (~thread << 3) | 4 | 2;
