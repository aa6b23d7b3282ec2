import { describeError, Fault } from "@shallop/sdk/internal";

export type GuestFaultCode =
  /** The guest trapped, threw, called `exit`, or broke a rule of the interface it used. */
  | "GUEST_FAILED"
  /** The guest's memory is at its limit, and it trapped when it got no more. */
  | "GUEST_MEMORY"
  /** The guest has had its CPU time, or all of its time, and called out once more. */
  | "GUEST_CPU"
  | "GUEST_TIMEOUT"
  /** The process has no room for another instance. */
  | "REFUSED"
  /** As the memory, but its tables. */
  | "GUEST_TABLE"
  /** The guest holds as many handles, connections or header fields as one instance may, and wanted more. */
  | "GUEST_HANDLES"
  | "GUEST_CONNECTIONS"
  | "GUEST_HEADERS"
  /** The guest passed or asked for more bytes in one call than may be. */
  | "GUEST_LIMIT";

/** What a guest did wrong. Ends the instance, never more. The message is for the pod's log and the caller's error. */
export class GuestFault extends Fault<GuestFaultCode> {}

/** The guest called `exit`. A command has ended with that; a handler has failed. */
export class GuestExit extends GuestFault {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("GUEST_FAILED", `the guest called exit with status ${exitCode} while it served a request`);
    this.exitCode = exitCode;
  }
}

/** Whatever came out of a guest, as a fault. `doing` begins the sentence: `the guest failed`. */
export function guestFaultOf(error: unknown, doing: string): GuestFault {
  if (error instanceof GuestFault) return error;
  const trap = error instanceof WebAssembly.RuntimeError ? `${doing}: trap` : doing;
  return new GuestFault("GUEST_FAILED", `${trap}: ${describeError(error)}`, { cause: error });
}
