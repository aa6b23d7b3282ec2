import { Fault } from "../internal/fault.ts";

/** `metav1.StatusReason` values that Shallop uses. */
export type ApiFaultCode =
  | "BadRequest"
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "AlreadyExists"
  | "Conflict"
  | "Gone"
  | "Expired"
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "Invalid"
  | "TooManyRequests"
  | "InternalError"
  | "ServiceUnavailable"
  | "Timeout";

export interface StatusCause {
  readonly reason?: string;
  readonly message: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** The plural resource, as apimachinery writes it. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** A refusal of the API. The server writes it as `metav1.Status`; the client reads it back. */
export class ApiFault extends Fault<ApiFaultCode> {
  readonly details: StatusDetails;

  constructor(code: ApiFaultCode, message: string, details: StatusDetails = {}, options: ErrorOptions = {}) {
    super(code, message, {
      ...options,
      retryable: code === "TooManyRequests" || code === "ServiceUnavailable" || code === "Timeout",
    });
    this.details = details;
  }
}
