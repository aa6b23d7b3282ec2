import { Fault } from "../internal/fault.ts";

export type CliFaultCode =
  /** No kubeconfig was found. */
  | "NO_PLATFORM"
  /** A flag or an argument cannot be. Exit code 2. */
  | "USAGE"
  /** What was named is not there. */
  | "NOT_FOUND"
  /** A service did not become ready; the message says why. */
  | "NOT_READY";

export class CliFault extends Fault<CliFaultCode> {}
