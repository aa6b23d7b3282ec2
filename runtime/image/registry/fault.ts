import { Fault } from "@shallop/sdk/internal";

/** Distribution specification 1.1, "Error Codes", and two that it lacks and every registry has. */
export type RegistryFaultCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  /** The login is good and does not allow this, or a quota is used up. */
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "TAG_INVALID"
  | "TOOMANYREQUESTS"
  /** No login, or a wrong one. */
  | "UNAUTHORIZED"
  | "UNSUPPORTED"
  /** Not in the specification: a piece of an upload that does not follow the last, or a range that is not there. */
  | "RANGE_INVALID"
  /** Not in the specification: larger than this registry stores. */
  | "TOO_LARGE"
  /** Not in the specification: the disk is full. */
  | "STORAGE_FULL"
  /** Not in the specification: the registry that this one is a cache of does not answer. */
  | "UPSTREAM_FAILED"
  | "UNKNOWN";

/** A refusal of the built-in registry; its code goes to the client. */
export class RegistryFault extends Fault<RegistryFaultCode> {
  /** For the answer: what login is wanted, when to come again. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: RegistryFaultCode,
    message: string,
    options: ErrorOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(code, message, options);
    this.headers = options.headers ?? {};
  }
}
