import { Fault } from "@shallop/sdk/internal";

export type GuestFaultCode =
  /** The guest trapped, threw, called `exit`, or broke a rule of the interface it used. */
  | "GUEST_FAILED"
  /** The guest's memory is at its limit, and it trapped when it got no more. */
  | "GUEST_MEMORY"
  /** The guest holds more handles, headers or bytes than one instance may. */
  | "GUEST_LIMIT";

/** What a guest did wrong. Ends the instance, never more. The message is for the pod's log and the caller's error. */
export class GuestFault extends Fault<GuestFaultCode> {}
