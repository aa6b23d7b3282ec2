import { Fault } from "@shallop/sdk/internal";

/** Distribution specification 1.1, "Error Codes", and two that it lacks and every registry has. */
export type RegistryFaultCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "TAG_INVALID"
  | "TOOMANYREQUESTS"
  | "UNSUPPORTED"
  /** Not in the specification: a piece of an upload that does not follow the last, or a range that is not there. */
  | "RANGE_INVALID"
  /** Not in the specification: larger than this registry stores. */
  | "TOO_LARGE"
  | "UNKNOWN";

/** A refusal of the built-in registry; its code goes to the client. */
export class RegistryFault extends Fault<RegistryFaultCode> {}
