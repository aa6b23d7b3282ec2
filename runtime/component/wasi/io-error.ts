import type { Caller, GuestContext } from "./guest-context.ts";
import { guestClass, notConstructible, Resource } from "./resource.ts";
import type { FileErrorCode } from "./filesystem/file-error.ts";
import type { HttpErrorCode } from "./http-error-code.ts";
import type { NetworkErrorCode } from "./sockets/network-error.ts";

/** What the interface that a stream came from says about an error: `filesystem-error-code` and its like answer it. */
export type IoErrorCause =
  | { readonly kind: "file"; readonly code: FileErrorCode }
  | { readonly kind: "http"; readonly code: HttpErrorCode }
  | { readonly kind: "network"; readonly code: NetworkErrorCode };

/** `wasi:io/error.error`. */
export class IoError extends Resource {
  readonly #message: string;
  readonly cause: IoErrorCause | undefined;

  constructor(context: GuestContext, message: string, cause?: IoErrorCause) {
    super(context);
    this.#message = message;
    this.cause = cause;
  }

  toDebugString(): string {
    return this.#message;
  }
}

/** wasi:io/error@0.2 */
export const ioError = (_caller: Caller): object => ({ Error: guestClass(IoError, notConstructible, {}) });
