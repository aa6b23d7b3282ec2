import type { GuestFault } from "../guest-fault.ts";

/** Between the guest that is at work in this thread, which is one at a time, and whoever watches over it. */
interface GuestWatch {
  /**
   * A function of the host is at work for it. One that is interrupted from outside leaves this true, and may leave what it
   * shares with others half done: the thread is of no use any more.
   */
  inHost: boolean;
  /** Why the guest has to end; asked whenever it calls out. */
  verdict: () => GuestFault | undefined;
}

export const guestWatch: GuestWatch = { inHost: false, verdict: () => undefined };

/** Runs a function of the host on behalf of the guest. */
export function inHost<Result>(run: () => Result): Result {
  guestWatch.inHost = true;
  try {
    return run();
  } finally {
    guestWatch.inHost = false;
  }
}
