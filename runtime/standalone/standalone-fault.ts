import { Fault } from "@shallop/sdk/internal";

export type StandaloneFaultCode =
  /** A flag or an argument cannot be. Exit code 2. */
  | "USAGE"
  /** The file is not there, or nothing that can be run. */
  | "FILE_INVALID"
  /** The address cannot be listened on. */
  | "ADDRESS_UNUSABLE"
  /** A name of --allow-host has no address. */
  | "HOST_UNKNOWN"
  /** This machine cannot close a module in, and it was to get directories. */
  | "SANDBOX_MISSING"
  /** The serving thread cannot be started, or not be stopped. */
  | "THREAD_FAILED";

export class StandaloneFault extends Fault<StandaloneFaultCode> {}
