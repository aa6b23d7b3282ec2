import { Fault } from "../internal/fault.ts";

export type SuperviseFaultCode =
  /** Another `shallop up` runs on the data directory. */
  | "DATA_IN_USE"
  /** The data directory cannot be made or written. */
  | "DATA_UNWRITABLE"
  /** A port is taken. */
  | "PORT_IN_USE"
  /** A program ended, or did not say that it is ready, before the platform was up. The message has its last output. */
  | "START_FAILED"
  /** No platform runs on the data directory. */
  | "NOT_RUNNING";

export class SuperviseFault extends Fault<SuperviseFaultCode> {}
