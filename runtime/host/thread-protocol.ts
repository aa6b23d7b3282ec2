import type { GrantedDirectory } from "../component/wasi/guest-context.ts";
import type { SharedBudget } from "./process-budget.ts";
import type { PodLimits, PodLogLine } from "../pod/pod-runtime.ts";

/** Main thread → pod thread: become this pod. */
export interface ThreadStart {
  readonly type: "start";
  readonly uid: string;
  /** Directory of the prepared component; the thread reads the links or the glue itself, while the main thread compiles. */
  readonly preparedDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly limits: PodLimits;
  /** Networks that this pod may reach though they are special. */
  readonly egressAllowed: readonly string[];
  /** Where the egress proxy listens for this pod; undefined: it reaches nothing beyond its process. */
  readonly egressSocket: string | undefined;
  /** The pod's, and no others. */
  readonly directories: readonly GrantedDirectory[];
}

/** `workerData` of a pod thread. */
export interface ThreadData {
  /** See `slot`. */
  readonly shared: SharedArrayBuffer;
  /**
   * Where the thread listens from its beginning. The pod that it becomes gets the socket by a rename, which costs a
   * start nothing and replaces the socket of a predecessor without a gap.
   */
  readonly socketPath: string;
  /** It writes what it has compiled to Node's cache before it says that it is `spare`. */
  readonly flushes: boolean;
  readonly budget: SharedBudget;
  /** See ThreadClaim. */
  readonly claim: SharedArrayBuffer;
}

/** Main thread → pod thread. */
export type ThreadCommand =
  | ThreadStart
  | {
      readonly type: "modules";
      readonly modules: ReadonlyMap<string, WebAssembly.Module>;
      /** V8's code cache of the glue as an earlier thread of this process left it; better than the one on disk. */
      readonly glueCache?: Uint8Array;
    }
  /** Take no new requests; say `drained` when the last has ended. */
  | { readonly type: "drain" }
  /** The pod is over, and has said `drained`: be spare, and listen there. */
  | { readonly type: "rest"; readonly socketPath: string }
  /** While the thread is nobody's: park this pod's component, which has come up elsewhere, and say `parked`. */
  | {
      readonly type: "park";
      readonly start: ThreadStart;
      readonly modules: ReadonlyMap<string, WebAssembly.Module>;
      /** Have it practise then. */
      readonly practises: boolean;
    }
  /** While the thread is nobody's: have the component of this pod practise, which is parked there and has served nothing; say `parked`. */
  | { readonly type: "practise"; readonly start: ThreadStart }
  /**
   * While the thread is nobody's: listen for this pod too, whose component is parked there; become it, and say `woken`, when
   * somebody connects to `socketPath`. The socket is made at `listenAt`.
   */
  | {
      readonly type: "stand-by";
      readonly start: ThreadStart;
      readonly listenAt: string;
      readonly socketPath: string;
    }
  /** Do not any more, and say `withdrawn`. */
  | { readonly type: "withdraw"; readonly uid: string }
  /** Memories that nobody has any more are to be collected. */
  | { readonly type: "collect" }
  /** Say `memory`. */
  | { readonly type: "measure" }
  /** What ran for the call `number` was taken off this thread: it ends with `code`, all others go on. */
  | {
      readonly type: "interrupted";
      readonly number: number;
      readonly code: StopCode | "CANCELLED";
      readonly message: string;
    };

/** Pod thread → main thread. */
export type ThreadEvent =
  /** The engine is loaded and the socket listens; the thread waits for `start`. */
  | { readonly type: "spare" }
  /** The component is loaded, and its first instance is there: requests will be answered. */
  | { readonly type: "loaded" }
  | { readonly type: "failed"; readonly code: "EXITED"; readonly message: string }
  | { readonly type: "drained" }
  /** What the pod holds: its heap, and the memories of the instances that are at work. */
  | { readonly type: "memory"; readonly bytes: number }
  /** The thread has heard that it was interrupted; a thread that is not well does not serve on. */
  | { readonly type: "interrupted"; readonly isWell: boolean }
  /** The process has few memories left: all its threads are to collect theirs. */
  | { readonly type: "memories-scarce" }
  /** The thread listens for another pod, and these have their components parked there (`parkingKey`); undefined: it serves no other. */
  | { readonly type: "rested"; readonly parked: readonly string[] | undefined }
  /** The same of a thread that has had no pod. */
  | { readonly type: "parked"; readonly parked: readonly string[] }
  /** The thread, which was nobody's, has become this pod by itself. */
  | { readonly type: "woken"; readonly uid: string }
  /** It does not stand by for this pod; it has said `woken` before if it has become it. */
  | { readonly type: "withdrawn"; readonly uid: string }
  /** The first request has ended. */
  | { readonly type: "served" }
  /** Code cache of the glue after the first requests, in shared memory. */
  | { readonly type: "glue-cache"; readonly glueCache: Uint8Array }
  | { readonly type: "logged"; readonly lines: readonly PodLogLine[] }
  | { readonly type: "noticed"; readonly reason: string; readonly message: string };

/**
 * Shared between a pod thread and the watchdog: float64 values, of which the times are as `sharedNowMs` has them.
 * A thread that turns its event loop keeps them in the future; one that is stuck inside a guest cannot.
 */
export const slot = {
  /** When the most urgent request of the thread must have ended; infinity when there is none. */
  deadline: 0,
  /** The number of the call that a guest is at work for at this moment; 0 when none is. */
  running: 1,
  /** When that one must have ended; infinity when none is at work. */
  runningDeadline: 2,
  /** Its request's id, as `requestNumber` has it. */
  runningId: 3,
  /** The watchdog's: the number of the call whose guest is to end when it calls out, and why, by `stopCodes`. */
  stop: 4,
  stopCode: 5,
  /** What the thread holds of the process's budget: see process-budget.ts. */
  memories: 6,
  stacks: 7,
  /** Where the caller of that request is told that it has ended, should the thread not come to it: see last-word.ts. */
  runningSocket: 8,
  runningStream: 9,
  /** The kernel's number of the thread, for the clock of its CPU time; 0 while it is not known. */
  thread: 10,
} as const;
const slotCount = 11;

export const stopCodes = ["GUEST_CPU", "GUEST_TIMEOUT"] as const;
export type StopCode = (typeof stopCodes)[number];

/** As the number of a call: the guest starts, ahead of any. */
export const startNumber = -1;
/** As the number of a call: the guest practises, see practice.ts. */
export const practiceNumber = -2;

export function freshSlots(): Float64Array<SharedArrayBuffer> {
  const slots = new Float64Array(new SharedArrayBuffer(slotCount * Float64Array.BYTES_PER_ELEMENT));
  slots[slot.deadline] = Number.POSITIVE_INFINITY;
  slots[slot.runningDeadline] = Number.POSITIVE_INFINITY;
  return slots;
}

/** A request's id as a number that fits the slot: FNV-1a of 32 bits. Two that are one would end the wrong request, once. */
export function requestNumber(requestId: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < requestId.length; index++) {
    hash = Math.imul(hash ^ requestId.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0 || 1;
}

/** Milliseconds on a clock that all threads of a process share; monotonic but for the process's start. */
export const sharedNowMs = (): number => performance.timeOrigin + performance.now();
