import { Fault } from "@shallop/sdk/internal";

export type DockerFaultCode =
  /** The request says what cannot be understood. */
  | "BAD_REQUEST"
  /** The registry, or the login, is refused. */
  | "UNAUTHORIZED"
  | "NOT_FOUND"
  /** It is in a state in which this cannot be done, or a name is taken. */
  | "CONFLICT"
  /** Started already, stopped already: nothing to do. */
  | "NOT_MODIFIED"
  /** Docker has it, and this platform has not. Message says what there is instead. */
  | "UNSUPPORTED"
  /** A bound was passed. Message names it. */
  | "TOO_MANY"
  /** Something else did not work: the platform refused it, a program ended badly. */
  | "FAILED";

/** What a client of the Docker API is told. */
export class DockerFault extends Fault<DockerFaultCode> {}
