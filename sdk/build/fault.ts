import { Fault } from "../internal/fault.ts";

export type BuildFaultCode =
  /** The entry file is not there, or does not parse, or imports what cannot be found. */
  | "SOURCE_INVALID"
  /** A compiler that the source needs is not on this machine; the message says where to get it. */
  | "TOOL_MISSING"
  /** The module's top level throws, or it exports no function. */
  | "FUNCTION_INVALID"
  /** Bytes that were to be a component or a core module are not. */
  | "COMPONENT_INVALID"
  /** The engine's snapshot differs in a place that is not known; the image would not be reproducible. */
  | "NOT_REPRODUCIBLE"
  /** No template of that name. */
  | "TEMPLATE_UNKNOWN"
  /** The project file is missing, or has a field that cannot be. */
  | "PROJECT_INVALID"
  /** The folder to write is there already. */
  | "TARGET_EXISTS";

export class BuildFault extends Fault<BuildFaultCode> {}
